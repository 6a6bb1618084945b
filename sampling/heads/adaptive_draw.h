// A draw from the words of an adaptive softmax that reads few of its parts: first the part, then the word in
// it.
//
// At a temperature other than 1 the mass of a part that was not read has only bounds. One that is drawn by
// its upper bound is read, accepted with the chance that its mass is of the bound, and else drawn for again,
// now by its mass (rejection sampling, von Neumann 1951). Of the nucleus (top-p) too: a word drawn from all
// is accepted if it is in the nucleus, which the bounds tell of most words without another part. So words
// have the chances that the whole row would give them, and which one is drawn depends on the row and the key
// alone, not on what happened to be read.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sampling/chain/candidates.h"
#include "sampling/chain/philox.h"
#include "sampling/heads/adaptive_parts.h"

namespace partita {

class AdaptiveDraw {
 public:
  /// One thread's.
  struct Memory {
    Candidates candidates;
    // [parts], logarithms of masses: what a part is drawn by, and bounds, the same for a part that was read.
    std::vector<double> drawn_by, least, most;
    std::vector<char> exact;  // [parts]: whether a part is drawn by its mass
  };

  /// A word, or the part that must be computed before it can be told.
  struct Step {
    std::optional<std::size_t> wanted;
    std::int32_t id = -1;
  };

  /// top_p: 1 for all words.
  AdaptiveDraw(const AdaptiveParts& parts, const Kernels& kernels, double temperature, double top_p);

  /// Of a row whose root was computed. Errors: kBadNumbers for a part whose numbers are bad, or that has none
  /// that is finite.
  Result<Step> step(std::size_t row, const DrawKey& key, AdaptiveScratch& scratch, Memory& memory) const;

 private:
  struct Row;
  void bound(const Row& row, Memory& memory) const;
  double log_mass(const Row& row, std::size_t part) const;
  std::optional<bool> in_nucleus(const Row& row, std::size_t part, std::size_t word,
                                 const Memory& memory) const;
  double mass_before(const Row& row, std::size_t part, std::size_t word, double unit) const;

  const AdaptiveParts& parts_;
  const Kernels& kernels_;
  double temperature_, factor_, top_p_;
};

}  // namespace partita
