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
  if (text.empty()) return best;
  auto begin = sorted_.begin() + by_first_[byte_at(text, 0)];
  auto end = sorted_.begin() + by_first_[byte_at(text, 0) + 1u];
  // [begin, end) are the spellings that match the first `depth` bytes of the text.
  for (std::size_t depth = 1; begin != end; ++depth) {
    if (begin->text.size() == depth) best = {0, depth, begin->id};
    if (depth == text.size()) break;
    const auto next_is_below = [depth](const Spelling& spelling, int byte) {
      return spelling.text.size() == depth || byte_at(spelling.text, depth) < byte;
    };
    const int byte = byte_at(text, depth);
    begin = std::lower_bound(begin, end, byte, next_is_below);
    end = std::lower_bound(begin, end, byte + 1, next_is_below);
  }
  return best;
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
