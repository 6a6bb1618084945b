// A draw from an adaptive softmax that reads few of its parts: first a part is drawn, then a word in it.
//
// At a temperature other than 1 only bounds of the mass of an unread part are known. A part drawn by its
// upper bound is read and accepted with probability mass / bound; otherwise the draw is repeated, now with
// the exact mass of that part (rejection sampling, von Neumann 1951). A nucleus (top-p) is drawn likewise: a
// word drawn from all words is accepted if it is in the nucleus, which the bounds usually decide without
// reading another part. Words therefore have the probabilities of the full row, and the drawn word depends on
// the row and the key alone, not on which parts were read.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sampling/chain/candidates.h"
#include "sampling/chain/philox.h"
#include "sampling/heads/adaptive_parts.h"

namespace partita::internal {

class AdaptiveDraw {
 public:
  /// Buffers of one thread.
  struct Memory {
    Candidates candidates;
    // [parts], logarithms of masses: the mass used for drawing a part, and bounds (equal for a part that was
    // read).
    std::vector<double> drawn_by, least, most;
    std::vector<char> exact;  // [parts]: whether a part is drawn by its exact mass
  };

  /// The drawn word, or the part that must be computed first.
  struct Step {
    std::optional<std::size_t> needed_part;
    std::int32_t id = -1;
  };

  /// top_p: 1 for all words.
  AdaptiveDraw(const AdaptiveParts& parts, const Kernels& kernels, double temperature, double top_p);

  /// One step of the draw for a row whose root is computed. Errors: kBadNumbers for a part with bad numbers,
  /// or without a finite one.
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

}  // namespace partita::internal
