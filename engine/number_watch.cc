#include "engine/number_watch.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "weights/sentence.h"

namespace partita::internal {

std::string to_text(const BadNumber& bad) {
  const std::string where = bad.layer ? "layer " + std::to_string(*bad.layer) + ", " : "";
  const std::string token = bad.position ? " (token " + std::to_string(*bad.position) + ")" : "";
  const std::string value =
      std::isnan(bad.value) ? "nan" : rounded_text(static_cast<double>(bad.value));  // of either sign
  return where + bad.operation + ": " + value + token;
}

void NumberWatch::enter(const Worker& worker, std::size_t layer) {
  if (worker.index == 0) layer_ = layer;
}

void NumberWatch::look(const Worker& worker, const Workspace& ws, std::string_view operation,
                       const float* values, std::size_t rows, std::size_t cols, float limit) {
  if (limit == 0) limit = std::numeric_limits<float>::max();
  worker.wait();
  if (worker.index == 0 && !first_) {
    const float* const end = values + rows * cols;
    const float* const bad = std::find_if(values, end, [&](float v) { return !(std::abs(v) <= limit); });
    if (bad != end) {
      first_.emplace();
      first_->operation = operation;
      first_->value = *bad;
      if (layer_ != kNoLayer) first_->layer = layer_;
      if (rows == ws.rows.size())
        first_->position = ws.rows[static_cast<std::size_t>(bad - values) / cols].position;
    }
  }
  worker.wait();  // before the values change
}

}  // namespace partita::internal
