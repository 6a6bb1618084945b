// Suggestions for mistyped names: the known name with the smallest edit distance.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tools {

struct Nearest {
  std::string name;
  std::size_t edits = 0;  // characters added, dropped, replaced or swapped with their neighbour
};

/// The known name with the fewest edits to `word`; the first of several. Case, '-' and '_' do not count.
std::optional<Nearest> nearest(std::string_view word, const std::vector<std::string>& known);

/// " (did you mean NAME?)" if a known name is near enough or begins with `word`; else empty.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace tools
