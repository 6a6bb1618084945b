// The softmax family over one row of logits, usable without any model. docs/softmax.md has the formulas and
// the measured error bounds.
//
//   std::vector<float> p(logits.size());
//   if (auto done = partita::softmax(logits, p); !done) std::cerr << done.error().message << '\n';
//
// Logits are natural logarithms of weights, in float. -inf is a masked entry: its probability is exactly 0. A
// row that holds NaN or +inf, or in which nothing is finite (an empty row too), is kBadNumbers, naming the
// first bad index and its value; an output whose size is not the row's is kInvalidArgument. After an error
// the output is unspecified. The output may be the row itself unless stated.
//
// Sums are taken in float within tiles of at most 256 entries and in double across them, in index order: the
// same row gives the same bits, whatever its address, the time, the number of threads or the instruction set.
// The instruction set is chosen once, at the first call: the best of the processor, or the one that
// PARTITA_ISA names. Errors: kInvalidArgument for an unknown name, kUnsupported if the processor lacks it.
//
// "Float accuracy" below: the relative error of a probability is at most 4e-7, however small it is; below
// 1.2e-38 it may come out as 0.
//
// No function allocates (except at the first call and for the message of an error), prints, or keeps state
// between calls. All functions may be called from any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "partita/draw_key.hpp"
#include "partita/export.hpp"
#include "partita/result.hpp"

namespace partita {

// --- softmax ---

/// probabilities[i] = exp(logits[i]) / sum(exp(logits)), to float accuracy.
PARTITA_API Result<void> softmax(std::span<const float> logits, std::span<float> probabilities);

/// out[i] = logits[i] - log_sum_exp(logits), within 1 ulp + 3e-7. -inf where masked.
PARTITA_API Result<void> log_softmax(std::span<const float> logits, std::span<float> out);

/// log(sum(exp(logits))), within 3e-7.
PARTITA_API Result<double> log_sum_exp(std::span<const float> logits);

/// The largest logit; the lowest id wins a tie.
PARTITA_API Result<std::int32_t> argmax(std::span<const float> logits);

// --- online softmax ---

/// The softmax of a row that arrives in pieces: each piece is added once, partial states may be computed
/// anywhere and merged, and a second pass converts pieces to probabilities. (Milakov & Gimelshein 2018; the
/// engine's attention does the same in float, with an output vector beside the sum, as FlashAttention.) A
/// state is two numbers, so it may be stored or sent; valid states come from the defaults, add and merge.
///
/// An empty state has no finite logit added and is {-inf, 0}. Another order of pieces and merges gives the
/// same maximum and, within rounding, the same sum: 1e-15 relative for each merge.
struct PARTITA_API OnlineSoftmax {
  float max = -std::numeric_limits<float>::infinity();  // of all that was added
  double sum = 0;                                       // of exp(logit - max); at least 1 unless empty

  bool empty() const { return sum == 0; }

  /// Adds the piece. A piece that is all masked, or has no entries, changes nothing. Error: kBadNumbers
  /// for NaN or +inf, naming the index within the piece; the state is then unchanged.
  Result<void> add(std::span<const float> piece);

  /// Adds all that was added to `other`. An empty `other` changes nothing; merged into an empty state, it is
  /// copied bit for bit. a.merge(b) and b.merge(a) give the same bits.
  void merge(const OnlineSoftmax& other) noexcept;

  /// -inf while empty.
  double log_sum_exp() const noexcept;

  /// out[i] = exp(piece[i]) / sum over all that was added; the pieces' outputs sum to 1. Errors: kBadNumbers
  /// as in add, and while empty; kInvalidArgument for a logit above `max`, which was never added.
  Result<void> probabilities(std::span<const float> piece, std::span<float> out) const;
};

// --- sparse alternatives ---

/// The support of a sparse distribution: the ids whose logit, less the largest, is above the threshold.
struct SparseSupport {
  float max = 0;         // the largest logit
  double threshold = 0;  // relative to it, < 0; -inf for alpha = 1
  std::size_t size = 0;  // number of ids
  bool holds(float logit) const { return static_cast<double>(logit) - static_cast<double>(max) > threshold; }
};

/// The Euclidean projection of the logits onto the simplex: probabilities[i] = max(0, logits[i] - max -
/// threshold), the threshold such that they sum to 1. (Martins & Astudillo 2016) In double, then rounded.
PARTITA_API Result<SparseSupport> sparsemax(std::span<const float> logits, std::span<float> probabilities);

/// The largest alpha that entmax accepts. Beyond it the threshold of a flat row leaves the range of doubles;
/// far below it, only the largest logits have a probability above 0.
inline constexpr double kMostEntmaxAlpha = 32;

/// alpha-entmax: probabilities[i] = ((alpha - 1) (logits[i] - max - threshold))^(1 / (alpha - 1)) in the
/// support, 0 outside. alpha = 1 is softmax, alpha = 2 sparsemax; a larger alpha is sparser. (Peters, Niculae
/// & Martins 2019) In double, then rounded: an id of the support whose probability is too small for a
/// float, as for alpha near 1, gets 0. Error: kInvalidArgument for alpha outside [1, 32].
PARTITA_API Result<SparseSupport> entmax(std::span<const float> logits, double alpha,
                                         std::span<float> probabilities);

// --- divergences, in nats ---

/// -sum(p log p) of p = softmax(logits), 0 log 0 = 0, within 1e-6 of itself + 1e-30.
PARTITA_API Result<double> entropy(std::span<const float> logits);

/// sum(p (log p - log q)) of the softmaxes of two rows of one size, within 2e-6 of itself + 1e-13. Entries
/// masked in p add 0; an entry masked only in q makes the result +inf. Exactly 0 for equal rows. Errors name
/// the row.
PARTITA_API Result<double> kl_divergence(std::span<const float> p_logits, std::span<const float> q_logits);

/// -log softmax(logits)[target], within 1e-6 of itself + 1e-30; +inf where the target is masked. Error:
/// kInvalidArgument for a target outside the row.
PARTITA_API Result<double> cross_entropy(std::span<const float> logits, std::int32_t target);

/// out = softmax(logits) - one_hot(target), the gradient of cross_entropy by the logits, to float accuracy
/// (at the target: of 1 - p, computed without cancellation). Returns cross_entropy. A masked target is
/// defined: loss +inf, gradient -1 at the target.
PARTITA_API Result<double> cross_entropy_gradient(std::span<const float> logits, std::int32_t target,
                                                  std::span<float> out);

// --- draws ---

/// Standard Gumbel noise of one id: -log(t), t its arrival time in an exponential race. Of a tile of 256
/// consecutive ids the first arrives at e / 256 and is any of them with equal probability; each other arrives
/// e' after it. Each e is -log u, u one of the 2^52 odd multiples of 2^-53 in (0, 1), so the noise lies in
/// [-3.61, 42.29]. It depends on (key, id) alone, by Philox (Salmon et al. 2011). All samplers of this
/// library draw tokens with this noise. id >= 0.
PARTITA_API double gumbel_noise(const DrawKey& key, std::int32_t id) noexcept;

/// argmax(logits[i] + gumbel_noise(key, i)), the Gumbel-max trick: an id drawn from softmax(logits) in one
/// pass, without the sum (Gumbel 1954) and without the noise of most ids (Maddison et al. 2014). Masked ids
/// are never drawn; the lowest id wins a tie. Sums are taken in double, so machines whose `log` agrees draw
/// the same id. Logits divided by a temperature draw at that temperature. An id keeps its noise when others
/// are masked or the row is processed in pieces.
PARTITA_API Result<std::int32_t> gumbel_max(std::span<const float> logits, const DrawKey& key);

}  // namespace partita
