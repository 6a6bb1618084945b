#include "tools/cli/nearest.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace tools {
namespace {

constexpr std::size_t kMaxNameBytes = 64;  // longer words are no mistyped names

std::string folded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != '-' && c != '_') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

/// Optimal string alignment: Levenshtein's edits and swaps of neighbours.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

/// The largest number of edits at which a name of this length is still suggested.
std::size_t max_edits(std::size_t length) { return length <= 2 ? 0 : length <= 4 ? 1 : length <= 7 ? 2 : 3; }

}  // namespace

std::optional<Nearest> nearest(std::string_view word, const std::vector<std::string>& known) {
  std::optional<Nearest> best;
  if (word.size() > kMaxNameBytes) return best;
  const std::string meant = folded(word);
  for (const std::string& name : known) {
    const std::size_t edits = edits_between(meant, folded(name));
    if (!best || edits < best->edits) best = Nearest{name, edits};
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const auto answer = [](const std::string& name) { return " (did you mean " + name + "?)"; };
  const std::string meant = folded(word);
  const auto near = nearest(word, known);
  if (near && near->edits <= max_edits(std::min(meant.size(), folded(near->name).size()))) {
    return answer(near->name);
  }
  const auto is_begun = [&](const std::string& name) {
    return meant.size() >= 3 && folded(name).compare(0, meant.size(), meant) == 0;
  };
  const std::string* begun = nullptr;  // the shortest
  for (const std::string& name : known) {
    if (is_begun(name) && (begun == nullptr || name.size() < begun->size())) begun = &name;
  }
  return begun == nullptr ? std::string() : answer(*begun);
}

}  // namespace tools
