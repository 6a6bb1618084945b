// Makes a screen (screen.h) from a matrix and sample hidden states.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/kernels/panels.h"
#include "partita/result.hpp"
#include "sampling/heads/screen.h"

namespace partita::internal {

/// First and second moments of sample hidden states, from which a screen is made. Its bounds hold for all
/// states and are narrow for states like the samples.
class HiddenMoments {
 public:
  explicit HiddenMoments(std::size_t hidden_size)
      : size_(hidden_size), sum_(size_), products_(size_ * size_) {}
  /// hidden: [hidden_size], finite.
  void add(const float* hidden);

  std::size_t hidden_size() const { return size_; }
  std::size_t count() const { return count_; }
  std::vector<double> mean() const;
  /// [hidden_size][hidden_size], symmetric.
  std::vector<double> covariance() const;

 private:
  std::size_t size_, count_ = 0;
  std::vector<double> sum_, products_;
};

struct ScreenOptions {
  std::uint64_t seed = 1;  // of the dither
  int threads = 1;
  std::function<bool(float)> progress = nullptr;  // called with the fraction done; false cancels (kCancelled)
};

/// Makes a screen of a matrix; takes seconds. Errors: kUnsupported for a shape that screens do not support
/// or a type of fewer than six bits (some have minima, whose rounding the bounds do not cover),
/// kInvalidArgument for moments of another size or of fewer states than dimensions, kOutOfMemory,
/// kCancelled.
Result<Screen> make_screen(const PackedMatrix& matrix, const HiddenMoments& moments,
                           const ScreenOptions& options);

}  // namespace partita::internal
