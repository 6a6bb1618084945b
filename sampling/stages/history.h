// Shared by the stages that read the history of ids: windows of ids, and options that are lists of texts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sampling/chain/options.h"
#include "sampling/stages/stage.h"

namespace partita::internal {

/// The last n ids; all ids if n is 0 or larger than their number.
inline std::span<const std::int32_t> last_of(std::span<const std::int32_t> ids, std::size_t n) {
  return n == 0 ? ids : ids.last(std::min(n, ids.size()));
}

/// The value of an option that limits how many ids a stage looks back; 0: all.
Result<std::size_t> last_n(const SamplingOptions& options, std::string_view option);

/// " of the last 64 ids"; empty if n is 0.
std::string within_last(std::size_t n);

/// The limit of the total size of an option's texts, which bounds the memory and time of a request's chain.
inline constexpr std::size_t kMaxOptionBytes = 65536;

/// Error: kInvalidArgument if the texts are larger in total.
Result<void> check_size(std::string_view option, const std::vector<std::string>& texts);

/// The bytes of an id; empty without a vocabulary, or for an id outside it.
inline std::string_view text_of(const Vocabulary* vocabulary, std::int32_t id) {
  const bool known = vocabulary != nullptr && id >= 0 && static_cast<std::size_t>(id) < vocabulary->size();
  return known ? vocabulary->text(id) : std::string_view();
}

/// A counter for each candidate of a row, all 0. The user resets the counters it changed to 0; if an
/// exception is thrown, the destructor resets all.
class CandidateCounts {
 public:
  explicit CandidateCounts(Candidates& row) : counts_(grow_to(row.scratch.counts, row.count())) {}
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

}  // namespace partita::internal
