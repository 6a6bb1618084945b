// A regular expression that splits text into words, matched by PCRE2 and written as in a tokenizer.json.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "partita/result.hpp"

namespace partita::internal {

class Expression {
 public:
  /// \s, \p{L}, \p{Han} and the like mean what they mean to Hugging Face's tokenizers: Unicode 16, whatever
  /// version PCRE2 has. \p{Numeric} is Rust's char::is_numeric, by which the pre-tokenizer Digits splits.
  /// Error: kUnsupported if PCRE2 cannot compile the pattern.
  static Result<Expression> compile(std::string_view pattern);

  Expression(Expression&&) noexcept;
  Expression& operator=(Expression&&) noexcept;
  ~Expression();

  /// Appends the words of `text`: the matches, and the text between them. Threads may share one Expression.
  /// text: valid UTF-8. Error: kUnsupported if the match takes more steps than the limit.
  Result<void> split(std::string_view text, std::vector<std::string_view>& words) const;

 private:
  struct Impl;
  explicit Expression(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace partita::internal
