// Confidence of the model in a token, and an explanation of what each sampler removed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace partita {

/// Confidence of a distribution in its likeliest token.
struct Confidence {
  float probability = 0;  // of the likeliest token
  float margin = 0;       // its probability less that of the second likeliest
  float entropy = 0;      // nats
};

/// When an answer is too uncertain to continue. The defaults accept everything.
struct AbstainRule {
  float min_probability = 0;                                   // of the likeliest token, in [0, 1]
  float min_margin = 0;                                        // in [0, 1]
  float max_entropy = std::numeric_limits<float>::infinity();  // nats, >= 0
  bool stops = true;                                           // false: such tokens are only marked

  bool asks() const {
    return min_probability > 0 || min_margin > 0 || max_entropy < std::numeric_limits<float>::infinity();
  }
  bool unsure(const Confidence& c) const {
    return c.probability < min_probability || c.margin < min_margin || c.entropy > max_entropy;
  }
};

/// The candidates for a token after one sampler of the chain.
struct StageView {
  std::string stage;                                // "top_p 0.95": after it; "model": before all stages
  std::size_t candidates = 0;                       // that are left
  float entropy = 0;                                // of the candidates that are left, nats
  std::vector<std::pair<std::int32_t, float>> top;  // likeliest first, ties by id: id, probability
};

/// How a token was chosen.
struct Explanation {
  std::vector<StageView> views;  // "model", then every enabled sampler, in order
  std::int32_t runner_up = -1;   // the model's second likeliest id; -1: none
  std::string removed_by;        // the sampler that removed the runner-up; empty: none did
};

}  // namespace partita
