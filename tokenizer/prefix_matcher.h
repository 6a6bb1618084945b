// Finds special tokens and user-defined pieces in text: leftmost occurrence, longest match.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace partita::internal {

class PrefixMatcher {
 public:
  struct Spelling {
    std::string_view text;  // must outlive the matcher
    std::int32_t id;
  };
  struct Match {
    std::size_t position = 0;
    std::size_t length = 0;  // 0: nothing found
    std::int32_t id = -1;
  };

  PrefixMatcher() = default;

  /// Ignores empty spellings; of equal ones the last wins.
  explicit PrefixMatcher(std::vector<Spelling> spellings);

  /// The longest spelling that `text` begins with. position is 0.
  Match longest_prefix(std::string_view text) const;

  /// The leftmost occurrence of a spelling in `text`, of those that begin there the longest.
  Match find(std::string_view text) const;

 private:
  std::vector<Spelling> sorted_;  // by bytes, so that spellings with a common prefix are adjacent
  std::array<std::uint32_t, 257> by_first_{};  // [by_first_[b], by_first_[b + 1]): those beginning with b
};

}  // namespace partita::internal
