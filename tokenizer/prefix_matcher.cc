#include "tokenizer/prefix_matcher.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace partita::internal {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t i) { return static_cast<std::uint8_t>(text[i]); }

}  // namespace

PrefixMatcher::PrefixMatcher(std::vector<Spelling> spellings) : sorted_(std::move(spellings)) {
  std::erase_if(sorted_, [](const Spelling& spelling) { return spelling.text.empty(); });
  std::reverse(sorted_.begin(), sorted_.end());
  std::stable_sort(sorted_.begin(), sorted_.end(),
                   [](const Spelling& a, const Spelling& b) { return a.text < b.text; });
  for (const Spelling& spelling : sorted_) ++by_first_[byte_at(spelling.text, 0) + 1u];
  std::partial_sum(by_first_.begin(), by_first_.end(), by_first_.begin());
}

PrefixMatcher::Match PrefixMatcher::longest_prefix(std::string_view text) const {
  Match best;
  for_each_prefix(text, [&best](std::size_t length, std::int32_t id) { best = {0, length, id}; });
  return best;
}

PrefixMatcher::Range PrefixMatcher::narrow(const Range& range, std::size_t depth, int byte) const {
  const auto next_is_below = [depth](const Spelling& spelling, int limit) {
    return spelling.text.size() == depth || byte_at(spelling.text, depth) < limit;
  };
  const auto at = [this](std::size_t i) { return sorted_.begin() + static_cast<std::ptrdiff_t>(i); };
  const auto begin = std::lower_bound(at(range.begin), at(range.end), byte, next_is_below);
  const auto end = std::lower_bound(begin, at(range.end), byte + 1, next_is_below);
  return {static_cast<std::size_t>(begin - sorted_.begin()), static_cast<std::size_t>(end - sorted_.begin())};
}

PrefixMatcher::Match PrefixMatcher::find(std::string_view text) const {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t first = byte_at(text, at);
    if (by_first_[first] == by_first_[first + 1]) continue;
    Match match = longest_prefix(text.substr(at));
    if (match.length == 0) continue;
    match.position = at;
    return match;
  }
  return {};
}

}  // namespace partita::internal
