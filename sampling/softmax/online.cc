// Online softmax: a maximum and a sum relative to it, which is rescaled when the maximum grows.
// (Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018)
#include "sampling/softmax/online.h"

#include <cmath>

#include "sampling/chain/numbers.h"
#include "sampling/softmax/row.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {

void OnlineSoftmax::merge(const OnlineSoftmax& other) noexcept {
  if (other.empty()) return;
  if (empty()) {
    *this = other;
    return;
  }
  // One of the two factors is exp(0) = 1, so that either order of merging gives the same bits.
  const float larger = std::max(max, other.max);
  const auto factor = [&](float of) {
    return std::exp(static_cast<double>(of) - static_cast<double>(larger));
  };
  sum = sum * factor(max) + other.sum * factor(other.max);
  max = larger;
}

double OnlineSoftmax::log_sum_exp() const noexcept { return static_cast<double>(max) + std::log(sum); }

namespace internal {

Result<void> add_piece(OnlineSoftmax& state, std::span<const float> piece, const Kernels& kernels) {
  const Result<Peak> peak = find_peak(piece, kernels);
  if (!peak) {
    const bool masked = std::all_of(piece.begin(), piece.end(), is_logit);
    return masked ? Result<void>{} : peak.error();
  }
  OnlineSoftmax seen{peak->max, 0};
  for_softmax_tiles(piece.size(), [&](std::size_t first, std::size_t n) {
    seen.sum += kernels.exp_sum(piece.data() + first, n, peak->max, 1, nullptr);
  });
  state.merge(seen);
  return {};
}

Result<void> piece_probabilities(const OnlineSoftmax& state, std::span<const float> piece,
                                 std::span<float> out, const Kernels& kernels) {
  TRY(check_sizes(piece.size(), out.size()));
  if (state.empty()) return Error{ErrorCode::kBadNumbers, "no finite logit was added to the online softmax"};
  const auto odd = std::find_if_not(piece.begin(), piece.end(), [&](float x) { return x <= state.max; });
  if (odd != piece.end()) {
    if (!std::all_of(piece.begin(), piece.end(), is_logit)) return bad_logits(piece);
    return invalid("the logit of id ", odd - piece.begin(), " is ", to_text(*odd),
                   ", but the largest that was added is ", to_text(state.max));
  }
  for_softmax_tiles(piece.size(), [&](std::size_t first, std::size_t n) {
    kernels.exp_sum(piece.data() + first, n, state.max, 1, out.data() + first);
  });
  for (float& p : out) p = static_cast<float>(static_cast<double>(p) / state.sum);
  return {};
}

}  // namespace internal
}  // namespace partita
