// What the stages share that look back on what was said: windows of ids, and lists of texts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sampling/stages/stages.h"

namespace partita {

/// The last n ids; all of them if n is 0 or more than there are.
inline std::span<const std::int32_t> last_of(std::span<const std::int32_t> ids, std::size_t n) {
  return n == 0 ? ids : ids.last(std::min(n, ids.size()));
}

/// The n of an option that says how far a stage looks back; 0: all the way.
Result<std::size_t> last_n(const SamplingOptions& options, std::string_view option);

/// " of the last 64 ids"; nothing if n is 0.
std::string within_last(std::size_t n);

/// What the texts of an option may have in all, so that no request makes a chain that is large or slow.
inline constexpr std::size_t kMostTextBytes = 65536;

/// Error: kInvalidArgument if they have more.
Result<void> check_size(std::string_view option, const std::vector<std::string>& texts);

/// The bytes of an id; none without a vocabulary or outside of it.
inline std::string_view text_of(const Vocabulary* vocabulary, std::int32_t id) {
  const bool known = vocabulary != nullptr && id >= 0 && static_cast<std::size_t>(id) < vocabulary->size();
  return known ? vocabulary->text(id) : std::string_view();
}

/// A counter for each candidate of a row, all 0. Whoever counts sets what it has counted to 0 again; where an
/// exception ends its work, all are.
class CandidateCounts {
 public:
  explicit CandidateCounts(Candidates& row) : counts_(room(row.scratch.counts, row.count())) {}
  CandidateCounts(const CandidateCounts&) = delete;
  CandidateCounts& operator=(const CandidateCounts&) = delete;
  ~CandidateCounts() {
    if (std::uncaught_exceptions() > exceptions_) std::fill(counts_.begin(), counts_.end(), 0U);
  }
  std::uint32_t& operator[](std::size_t candidate) const { return counts_[candidate]; }

 private:
  std::span<std::uint32_t> counts_;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace partita
