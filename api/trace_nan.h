// Where the NaN of logits began, for the errors of tokens.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "api/loaded_model.h"

namespace partita::internal {

/// The error of the token after `ids`, whose hidden state is `hidden` and of which the first `prompt` are the
/// prompt. If its numbers are not finite, the operation where that began is added to the message, or without
/// OpenOptions::trace_nan how to learn it. Other errors are returned unchanged. Throws std::bad_alloc.
Error traced(const LoadedModel& model, const Error& error, const float* hidden, std::span<const TokenId> ids,
             std::size_t prompt, const std::atomic<bool>* cancel = nullptr);

}  // namespace partita::internal
