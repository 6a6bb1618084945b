// Reads a text again to find where its numbers stop being finite.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "engine/model.h"
#include "engine/number_watch.h"
#include "partita/result.hpp"

namespace partita::internal {

/// Reads ids, of which the first `prompt` are a prompt, in an engine and a cache of its own, and returns the
/// first operation with NaN or an infinity; nothing if there is none. The bits of a step depend on the ids
/// alone, so it finds what happened when they were read before. Errors: those of Engine::step.
Result<std::optional<BadNumber>> find_bad_number(std::shared_ptr<const Transformer> model, int threads,
                                                 std::span<const std::int32_t> ids, std::size_t prompt,
                                                 const std::atomic<bool>* cancel = nullptr);

}  // namespace partita::internal
