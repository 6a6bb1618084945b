// Gumbel noise for draws. An id is drawn from softmax(x) as the argmax of x + Gumbel noise (Gumbel 1954). The
// noise comes from an exponential race: every id arrives at a time distributed as Exp(1), and -log(time) is
// its Gumbel noise. In a noise tile of 256 ids the first arrival is at Exp(1) / 256 and is any of them with
// equal probability; since arrivals are memoryless, each other id arrives Exp(1) after it. One number
// therefore bounds the noise of a tile, and a draw reads few ids (as the search of Maddison et al. 2014),
// while the noise of an id remains a function of the key and the id alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "sampling/chain/philox.h"

namespace partita::internal {

inline constexpr std::size_t kNoiseTile = 256;

/// An upper bound of all noise: the earliest arrival is at -log(1 - 2^-53) / 256.
inline constexpr double kMaxNoise = 42.29;

/// What the ids [256 t, 256 (t + 1)), tile t, share.
struct NoiseTile {
  double first = 0;         // the arrival time of the first of them
  std::uint32_t which = 0;  // its index in the tile
  double most = 0;          // its noise, the largest of the tile
};

/// The noise of one draw, by Philox.
class Noise {
 public:
  explicit Noise(const DrawKey& key) : key_(key) {}
  NoiseTile tile(std::size_t t) const;
  /// The noise of an id of the tile. id >= 0.
  double of(const NoiseTile& tile, std::int32_t id) const;

 private:
  DrawKey key_;
};

/// The argmax of factor * (value - shift) + noise, the key, over the candidates added so far; the lowest
/// index wins a tie. All in double.
class Race {
 public:
  Race(const Noise& noise, double factor, double shift) : noise_(&noise), factor_(factor), shift_(shift) {}

  /// Whether a tile whose largest value is `most` can hold the winner.
  bool is_open(float most, double most_noise = kMaxNoise) const { return !(at(most) + most_noise < best_); }

  /// Adds the candidates at indices [first, first + values.size()), all of one tile. id_of(index): the id.
  template <class IdOf>
  void add(const NoiseTile& tile, std::span<const float> values, std::size_t first, IdOf&& id_of) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = at(values[i]);
      if (value + tile.most < best_) continue;
      const double key = value + noise_->of(tile, id_of(first + i));
      if (key > best_ || (key == best_ && first + i < winner_)) {
        best_ = key;
        winner_ = first + i;
      }
    }
  }

  /// Adds all values of a row whose indices are ids, from tile `begin` on and then those before it.
  /// max_of(t): the largest value of tile t.
  template <class MaxOf>
  void add_all(std::span<const float> values, std::size_t begin, MaxOf&& max_of) {
    const std::size_t tiles = (values.size() + kNoiseTile - 1) / kNoiseTile;
    for (std::size_t n = 0; n < tiles; ++n) {
      const std::size_t t = begin + n < tiles ? begin + n : begin + n - tiles;
      const float most = max_of(t);
      if (!is_open(most)) continue;
      const NoiseTile tile = noise_->tile(t);
      if (!is_open(most, tile.most)) continue;
      const std::size_t first = t * kNoiseTile;
      add(tile, values.subspan(first, n_of(first, values.size())), first,
          [](std::size_t index) { return static_cast<std::int32_t>(index); });
    }
  }

  /// The index of the argmax. Precondition: some added candidate has a finite value.
  std::size_t winner() const { return winner_; }

 private:
  static std::size_t n_of(std::size_t first, std::size_t size) {
    return size - first < kNoiseTile ? size - first : kNoiseTile;
  }
  double at(float value) const { return factor_ * (static_cast<double>(value) - shift_); }

  const Noise* noise_;
  double factor_, shift_;
  double best_ = -std::numeric_limits<double>::infinity();
  std::size_t winner_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace partita::internal
