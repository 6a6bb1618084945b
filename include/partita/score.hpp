// Scores of a text (log-probabilities, ranks, perplexity), and the KL divergence between two models.
#pragma once

#include <cstdint>
#include <vector>

#include "partita/token.hpp"

namespace partita {

/// A text of n ids under a model; vectors are [n].
struct Score {
  std::vector<TokenId> ids;
  std::vector<float> logprobs;      // of ids[i] given what is before it, natural; [0] is NaN
  std::vector<TokenId> top1;        // the likeliest id in place of ids[i]; [0] is -1
  std::vector<std::int32_t> ranks;  // of ids[i] in that distribution, 1 the likeliest; [0] is 0
  double nll = 0;                   // mean, natural logarithm; NaN for a single id
  double perplexity = 0;
};

/// How far one model's distributions are from a reference's over the same ids.
struct Divergence {
  double kl_mean = 0, kl_max = 0;  // KL(reference || this), natural
  double same_top = 0;             // fraction of positions with the same likeliest id
  double reference_nll = 0;        // of the ids, as Score has it
  double reference_perplexity = 0;
};

}  // namespace partita
