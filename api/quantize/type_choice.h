// Chooses a type for each tensor, for a size. Internal to api/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "weights/codecs/dtype.h"

namespace partita::internal {

/// A type that a tensor could have.
struct TypeChoice {
  Dtype dtype;
  std::uint64_t bytes;  // of the whole tensor
  double cost;          // what it does to the model's predictions: KL divergence, in nats
};

/// Divides bytes among tensors so that the sum of the costs is small.
class TypeChooser {
 public:
  /// choices: of each tensor, at least one.
  explicit TypeChooser(std::vector<std::vector<TypeChoice>> choices);

  std::uint64_t least_bytes() const { return least_; }
  std::uint64_t most_bytes() const { return most_; }

  /// One choice of each tensor, together at most `bytes`, which is no less than least_bytes(). Steps to
  /// larger types are taken in the order of what a byte gains; a tensor stays where its next step does not
  /// fit.
  std::vector<TypeChoice> within(std::uint64_t bytes) const;

 private:
  /// From one choice of a tensor to the next that is worth its bytes.
  struct Step {
    std::size_t tensor, to;
    double gain;  // of cost, for each byte
  };

  std::vector<std::vector<TypeChoice>>
      choices_;              // of each tensor those that are worth their bytes, ascending
  std::vector<Step> steps_;  // the largest gain first
  std::uint64_t least_ = 0, most_ = 0;
};

/// Sums over all tensors.
std::uint64_t bytes_of(std::span<const TypeChoice> chosen);
double cost_of(std::span<const TypeChoice> chosen);

}  // namespace partita::internal
