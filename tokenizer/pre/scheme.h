// How the words of a pre-tokenizer are defined: a row of data for each.
#pragma once

#include <array>
#include <string_view>
#include <vector>

namespace partita::internal {

/// Where the first word of the text [at, end) ends. The text is not empty and valid UTF-8; a word starts at
/// `at`.
using WordEnd = const char* (*)(const char* at, const char* end);

/// One pass over the words of the pass before: an expression or a function splits each further.
struct Pass {
  std::string_view expression;
  void (*function)(std::string_view text, std::vector<std::string_view>& words) = nullptr;

  constexpr Pass() = default;
  constexpr Pass(const char* pattern) : expression(pattern) {}
  constexpr Pass(void (*split)(std::string_view, std::vector<std::string_view>&)) : function(split) {}
  constexpr bool empty() const { return expression.empty() && function == nullptr; }
};

struct Scheme {
  std::string_view names;      // in tokenizer.ggml.pre, with spaces between
  std::array<Pass, 6> passes;  // the definition
  WordEnd word_end = nullptr;  // the same by hand, for those that many models use
  bool ignore_merges = false;  // see PreTokenizer
  bool add_bos = false;
};

/// The scheme with this name, or null.
const Scheme* find_scheme(std::string_view name);

/// Every name.
std::vector<std::string_view> scheme_names();

}  // namespace partita::internal
