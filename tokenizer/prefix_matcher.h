// Finds special tokens and user-defined pieces in text: leftmost occurrence, longest match.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "weights/try.h"

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

  /// Calls on_match(length, id) for every spelling that `text` begins with, shortest first.
  template <class OnMatch>
  void for_each_prefix(std::string_view text, OnMatch&& on_match) const {
    if (text.empty()) return;
    const auto first = static_cast<std::uint8_t>(text[0]);
    Range range{by_first_[first], by_first_[first + 1u]};
    for (std::size_t depth = 1; range.begin != range.end; ++depth) {
      const Spelling& shortest = sorted_[range.begin];
      if (shortest.text.size() == depth) on_match(depth, shortest.id);
      if (depth == text.size()) break;
      range = narrow(range, depth, static_cast<std::uint8_t>(text[depth]));
    }
  }

  /// The leftmost occurrence of a spelling in `text`, of those that begin there the longest.
  Match find(std::string_view text) const;

 private:
  struct Range {
    std::size_t begin, end;  // in sorted_
  };

  /// Of spellings that agree in `depth` bytes those whose next byte is this one.
  Range narrow(const Range& range, std::size_t depth, int byte) const;

  std::vector<Spelling> sorted_;  // by bytes, so that spellings with a common prefix are adjacent
  std::array<std::uint32_t, 257> by_first_{};  // [by_first_[b], by_first_[b + 1]): those beginning with b
};

/// Splits `text` at the matches of `matcher`: calls on_text(stretch) -> Result<void> for the text between
/// matches (never empty) and on_match(id) for each match, in order.
template <class OnText, class OnMatch>
Result<void> split_at_matches(const PrefixMatcher& matcher, std::string_view text, OnText&& on_text,
                              OnMatch&& on_match) {
  while (!text.empty()) {
    const PrefixMatcher::Match match = matcher.find(text);
    const std::string_view before = match.length == 0 ? text : text.substr(0, match.position);
    if (!before.empty()) {
      TRY(on_text(before));
    }
    if (match.length > 0) on_match(match.id);
    text.remove_prefix(before.size() + match.length);
  }
  return {};
}

}  // namespace partita::internal
