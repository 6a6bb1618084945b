// The scoring of contrastive search, independent of a model: Su et al., "A Contrastive Framework for Neural
// Text Generation", 2022.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace partita::internal {

/// The hidden states of all tokens so far, scaled to unit length.
class HiddenHistory {
 public:
  explicit HiddenHistory(std::size_t width) : width_(width), unit_(width) {}

  /// hidden: [width]. Throws std::bad_alloc.
  void add(const float* hidden);

  /// The largest cosine between `hidden` [width] and a state of the history; -1 if there is none. The cosine
  /// with a vector of zeros is 0.
  double closest(const float* hidden);

  std::size_t size() const { return states_.size() / width_; }

 private:
  void normalise(const float* hidden);

  std::size_t width_;
  std::vector<float> unit_;    // [width], the last normalised state
  std::vector<float> states_;  // [size()][width]
};

/// What contrastive search maximises: (1 - alpha) * probability - alpha * closest.
struct ContrastiveCandidate {
  double probability = 0;
  double closest = 0;
};

/// The index of the best candidate, the first of a tie. Precondition: `candidates` is not empty.
std::size_t choose_contrastive(std::span<const ContrastiveCandidate> candidates, double alpha);

}  // namespace partita::internal
