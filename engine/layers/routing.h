// How a mixture of experts (Shazeer et al. 2017) chooses the experts of a token and weighs them.
#pragma once

#include <cstdint>
#include <span>

namespace partita::internal {

struct Routing {
  enum class Scores : std::uint8_t {
    kSoftmax,      // of the logits of all experts; normalized: the same as that of the chosen ones alone
    kSigmoid,      // of each logit
    kSparseMixer,  // SparseMixer-v2 (Liu et al. 2024), as at inference
  };
  Scores scores = Scores::kSoftmax;
  std::uint32_t used = 0;  // experts of a token
  /// Experts stand in groups of equal size, and only those of the best groups are chosen (DeepSeek-V2 2024).
  std::uint32_t groups = 1, used_groups = 1;
  bool normalized = true;  // the scores of the chosen are divided by their sum
  float scale = 1;         // of the weights
  bool before = false;     // the weight is of an expert's input, not of its output: no biases of gate and up
};

/// An expert of a row.
struct Routed {
  std::uint32_t expert = 0, row = 0;
  float weight = 0;
};

/// Chooses the experts of one token and their weights: the largest scores, of equal ones the lower ids.
/// logits: [experts], at most kMaxExperts. bias: [experts], added to the scores for the choice alone, or
/// empty. The score of a group is the largest in it, with a bias the sum of the two largest. chosen:
/// [routing.used], ids ascending, all with `row`. Precondition: the used groups have as many experts.
void route(const Routing& routing, std::span<const float> logits, std::span<const float> bias,
           std::uint32_t row, std::span<Routed> chosen);

}  // namespace partita::internal
