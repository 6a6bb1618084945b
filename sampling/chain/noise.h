// The noise of a draw. An id is drawn from softmax(x) as the argmax of x + Gumbel noise (Gumbel 1954), and
// the noise is that of an exponential race: every id arrives at a time distributed as Exp(1), and -log(time)
// is its Gumbel noise. Of a block of ids the first arrival comes at Exp(1) / 256 and is any of them with the
// same chance; as arrivals have no memory, every other one comes Exp(1) after it. So one number bounds the
// noise of a whole block, and a draw looks at few ids (Maddison et al. 2014 search so), while the noise of an
// id is still a function of the key and the id alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "sampling/chain/philox.h"

namespace partita {

inline constexpr std::size_t kNoiseBlock = 256;

/// No noise is above it: the earliest arrival is at -log(1 - 2^-53) / 256.
inline constexpr double kMostNoise = 42.29;

/// The noise of one draw, by Philox.
class Noise {
 public:
  /// What the ids [256 b, 256 (b + 1)) share.
  struct Block {
    double first = 0;         // when the first of them arrives
    std::uint32_t which = 0;  // the place of that one
    double most = 0;          // its noise, the largest of the block
  };

  explicit Noise(const DrawKey& key) : key_(key) {}
  Block block(std::size_t b) const;
  /// id: one of the block, not negative.
  double of(const Block& block, std::int32_t id) const;

 private:
  DrawKey key_;
};

/// Who has the largest key, factor * (value - shift) + noise, of those that were met; the lowest place wins a
/// tie. Everything in double.
class Race {
 public:
  Race(const Noise& noise, double factor, double shift) : noise_(&noise), factor_(factor), shift_(shift) {}

  /// Whether a block whose largest value is `most` can hold the winner.
  bool is_open(float most, double most_noise = kMostNoise) const { return !(at(most) + most_noise < best_); }

  /// Meets the candidates at places [first, first + values.size()), all of one block; id_of(place): their
  /// ids.
  template <class IdOf>
  void meet(const Noise::Block& block, std::span<const float> values, std::size_t first, IdOf&& id_of) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = at(values[i]);
      if (value + block.most < best_) continue;
      const double key = value + noise_->of(block, id_of(first + i));
      if (key > best_ || (key == best_ && first + i < winner_)) {
        best_ = key;
        winner_ = first + i;
      }
    }
  }

  /// All values of a row, ids and places being the same, from block `begin` on and then those before it.
  /// max_of(b): the largest value of block b.
  template <class MaxOf>
  void meet_all(std::span<const float> values, std::size_t begin, MaxOf&& max_of) {
    const std::size_t blocks = (values.size() + kNoiseBlock - 1) / kNoiseBlock;
    for (std::size_t n = 0; n < blocks; ++n) {
      const std::size_t b = begin + n < blocks ? begin + n : begin + n - blocks;
      const float most = max_of(b);
      if (!is_open(most)) continue;
      const Noise::Block block = noise_->block(b);
      if (!is_open(most, block.most)) continue;
      const std::size_t first = b * kNoiseBlock;
      meet(block, values.subspan(first, n_of(first, values.size())), first,
           [](std::size_t place) { return static_cast<std::int32_t>(place); });
    }
  }

  /// Precondition: one that was met has a finite value.
  std::size_t winner() const { return winner_; }

 private:
  static std::size_t n_of(std::size_t first, std::size_t size) {
    return size - first < kNoiseBlock ? size - first : kNoiseBlock;
  }
  double at(float value) const { return factor_ * (static_cast<double>(value) - shift_); }

  const Noise* noise_;
  double factor_, shift_;
  double best_ = -std::numeric_limits<double>::infinity();
  std::size_t winner_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace partita
