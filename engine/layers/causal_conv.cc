#include "engine/layers/causal_conv.h"

#include <algorithm>

namespace partita::internal {
namespace {

class Convolution {
 public:
  Convolution(const CausalConv& conv, const StateStep& step, std::size_t offset, const ConvRows& rows)
      : conv_(conv),
        rows_(rows),
        before_(step.before == nullptr ? nullptr : reinterpret_cast<const float*>(step.before + offset)) {
    save(rows.tokens, step.after + offset);
    if (step.snapshot != nullptr) save(step.snapshot_tokens, step.snapshot + offset);
  }

  void run() {
    // Backwards, so that the inputs that a token needs are still there.
    for (std::size_t t = rows_.tokens; t-- > 0;) {
      for (std::size_t c = rows_.first; c < rows_.last; c += kColumns) {
        compute(t, c, std::min(kColumns, rows_.last - c));
      }
    }
  }

 private:
  static constexpr std::size_t kColumns = 64;  // that are summed together

  /// Row t of the inputs, counted from taps - 1 rows before the first token; null: zeros.
  const float* input(std::size_t t) const {
    const std::size_t earlier = conv_.taps - 1;
    if (t >= earlier) return rows_.x + (t - earlier) * rows_.stride;
    return before_ == nullptr ? nullptr : before_ + t * conv_.columns;
  }

  /// Writes the state after `tokens` tokens.
  void save(std::size_t tokens, std::byte* state) const {
    auto* to = reinterpret_cast<float*>(state);
    for (std::size_t i = 0; i + 1 < conv_.taps; ++i, to += conv_.columns) {
      const float* from = input(tokens + i);
      if (from == nullptr) {
        std::fill(to + rows_.first, to + rows_.last, 0.0F);
      } else {
        std::copy(from + rows_.first, from + rows_.last, to + rows_.first);
      }
    }
  }

  void compute(std::size_t t, std::size_t column, std::size_t count) {
    float sums[kColumns] = {};
    if (!conv_.bias.empty()) std::copy_n(conv_.bias.data() + column, count, sums);
    for (std::size_t j = 0; j < conv_.taps; ++j) {
      const float* x = input(t + j);
      if (x == nullptr) continue;
      const float* w = conv_.weight.data() + j * conv_.columns + column;
      for (std::size_t i = 0; i < count; ++i) sums[i] += w[i] * x[column + i];
    }
    std::copy_n(sums, count, rows_.x + t * rows_.stride + column);
  }

  const CausalConv& conv_;
  const ConvRows& rows_;
  const float* before_;
};

}  // namespace

void convolve(const CausalConv& conv, const StateStep& step, std::size_t offset, const ConvRows& rows) {
  if (rows.first < rows.last) Convolution(conv, step, offset, rows).run();
}

}  // namespace partita::internal
