// What can be said about a choice besides the token: how sure the model was, and what each sampler did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace partita {

/// How sure a distribution is of its likeliest token.
struct Confidence {
  float probability = 0;  // of the likeliest token
  float margin = 0;       // between it and the second likeliest
  float entropy = 0;      // nats
};

/// When an answer is too unsure to go on. The defaults let everything pass.
struct AbstainRule {
  float min_probability = 0;                                   // of the likeliest token, in [0, 1]
  float min_margin = 0;                                        // in [0, 1]
  float max_entropy = std::numeric_limits<float>::infinity();  // nats, >= 0
  bool stops = true;                                           // false: such tokens are marked, no more

  bool asks() const {
    return min_probability > 0 || min_margin > 0 || max_entropy < std::numeric_limits<float>::infinity();
  }
  bool unsure(const Confidence& c) const {
    return c.probability < min_probability || c.margin < min_margin || c.entropy > max_entropy;
  }
};

/// The candidates for a token at one point of the chain of samplers.
struct StageView {
  std::string stage;                                // "top_p 0.95": after this one; "model": before all
  std::size_t candidates = 0;                       // left
  float entropy = 0;                                // of what is left, nats
  std::vector<std::pair<std::int32_t, float>> top;  // likeliest first, ties by id: id, probability
};

/// How a token was chosen.
struct Explanation {
  std::vector<StageView> views;  // "model", then every sampler that does something, in order
  std::int32_t runner_up = -1;   // the second likeliest id of the model; -1: there is none
  std::string removed_by;        // the sampler that removed it; empty: it stayed to the draw
};

}  // namespace partita
