#include "api/trace_nan.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/find_bad_number.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

bool all_finite(const float* values, std::size_t count) {
  return std::all_of(values, values + count, [](float v) { return std::isfinite(v); });
}

/// Whether the head makes NaN of a hidden state that is finite.
bool head_is_bad(const LoadedModel& model, const float* hidden) {
  std::vector<float> logits(model.head->vocab_size());
  model.head->logits(hidden, 1, nullptr, *model.head_scratch(1), logits.data());
  return std::any_of(logits.begin(), logits.end(), [](float v) { return std::isnan(v) || v == INFINITY; });
}

}  // namespace

Error traced(const LoadedModel& model, const Error& error, const float* hidden, std::span<const TokenId> ids,
             std::size_t prompt, const std::atomic<bool>* cancel) {
  if (error.code != ErrorCode::kBadNumbers) return error;
  const auto with = [&](const auto&... more) { return Error{error.code, sentence(error.message, more...)}; };
  const bool finite = all_finite(hidden, model.info.hidden_size);
  if (!model.options.trace_nan)
    return finite ? error : with("; OpenOptions::trace_nan (--trace-nan) finds where that began");
  if (finite) return head_is_bad(model, hidden) ? with("; it began in the LM head") : error;
  const auto found = find_bad_number(model.transformer, model.options.threads, ids, prompt, cancel);
  if (!found) return with("; where it began was not found: ", found.error().message);
  return *found ? with("; it began in ", to_text(**found))
                : with("; it does not occur when the text is read again");
}

}  // namespace partita::internal
