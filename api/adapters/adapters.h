// The adapters of requests as the engine applies them. Internal to api/.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "api/loaded_model.h"
#include "engine/adapter.h"
#include "partita/adapter.hpp"

namespace partita::internal {

/// Adapters of one request.
inline constexpr std::size_t kMaxAdapters = 16;

/// Null: none. Errors: kInvalidArgument naming an adapter that was opened for another model, a scale that is
/// not finite, or how many there are and the limit.
Result<std::shared_ptr<const AdapterSet>> adapter_set(const LoadedModel& model,
                                                      std::span<const AppliedAdapter> adapters);

/// "the adapters 'a' (scale 1) and ..."; "no adapters" for null.
std::string adapters_text(const AdapterSet* set);

}  // namespace partita::internal
