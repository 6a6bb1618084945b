// A draw from a vocabulary in parts, of which most need not be read: first the part, then the token in it.
// The mass of a part that was not read has a bound; one that is drawn by its bound is read, accepted with the
// chance that its mass is of the bound, and else drawn for again, now by its mass. So tokens have the chances
// of the softmax over all of them (rejection sampling, von Neumann 1951), whatever was read.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "sampling/philox.h"

namespace partita {

class PartDraw {
 public:
  /// masses: of each part; exact: whether that is its mass, or only no less than it. `masses` and `exact` are
  /// written to.
  PartDraw(const DrawKey& key, std::vector<double>& masses, std::vector<char>& exact)
      : key_(key), masses_(masses), exact_(exact) {}

  /// The part that the token is drawn from. mass_of(part): the mass of a part that is read now, or nothing
  /// where it is not; then this returns nothing, and must be asked again when it is: it begins anew, and what
  /// it says depends on the key, the bounds and the masses alone. wanted(): the part that is not read.
  template <class MassOf>
  std::optional<std::size_t> part(MassOf&& mass_of) {
    for (;; ++round_) {
      const std::size_t drawn = choose(uniform(key_, kPartLane + 2 * round_));
      if (exact_[drawn] != 0) return drawn;
      const std::optional<double> mass = mass_of(drawn);
      if (!mass) {
        wanted_ = drawn;
        return std::nullopt;
      }
      const double bound = masses_[drawn];
      masses_[drawn] = *mass;
      exact_[drawn] = 1;
      // Also where the numbers are bad, for whoever looks at the part to say so.
      if (!(uniform(key_, kPartLane + 2 * round_ + 1) * bound >= *mass)) return drawn;
    }
  }

  std::size_t wanted() const { return wanted_; }

 private:
  /// The part in which a point of the sum lies.
  std::size_t choose(double u) const {
    double sum = 0;
    for (const double mass : masses_) sum += mass;
    double left = u * sum;
    std::size_t last = 0;
    for (std::size_t p = 0; p < masses_.size(); ++p) {
      if (!(masses_[p] > 0)) continue;
      last = p;
      left -= masses_[p];
      if (left < 0) break;
    }
    return last;
  }

  DrawKey key_;
  std::vector<double>& masses_;
  std::vector<char>& exact_;
  std::uint32_t round_ = 0;
  std::size_t wanted_ = 0;
};

}  // namespace partita
