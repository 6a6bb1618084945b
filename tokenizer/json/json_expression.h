// Regular expressions from files of tokenizers. In tokenizer.json their syntax is that of Oniguruma (Ruby);
// beside ranks of tiktoken that of fancy-regex (Rust). PCRE2 matches them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/json/fields.h"

namespace partita::internal {

/// A stretch of a text. Those of one search are in order, and nothing is between them.
struct Stretch {
  std::size_t begin = 0, end = 0;  // bytes
  bool is_match = false;
};

enum class ExpressionSyntax : std::uint8_t { kOniguruma, kFancyRegex };

class JsonExpression {
 public:
  /// Errors: kUnsupported for what PCRE2 cannot compile, or would read in another way than the syntax means.
  static Result<JsonExpression> compile(std::string_view pattern,
                                        ExpressionSyntax syntax = ExpressionSyntax::kOniguruma);

  /// Matches this text. Precondition: it is not empty.
  static JsonExpression literal(std::string text);

  /// The field "pattern" of a component: {"String": TEXT} or {"Regex": EXPRESSION}.
  static JsonExpression read(ComponentFields& fields);

  JsonExpression(JsonExpression&&) noexcept;
  JsonExpression& operator=(JsonExpression&&) noexcept;
  ~JsonExpression();

  /// Appends the stretches of `text`, which is valid UTF-8: matches and what is between them. Threads may
  /// share one JsonExpression. Error: kUnsupported if it exceeds the limit on match steps.
  Result<void> find(std::string_view text, std::vector<Stretch>& out) const;

  /// The largest factor by which a text becomes longer if `bytes` bytes replace each match.
  std::size_t growth(std::size_t bytes) const {
    if (code_ != nullptr) return bytes + 1;  // of empty matches
    return std::max<std::size_t>(1, (bytes + literal_.size() - 1) / literal_.size());
  }

 private:
  struct Code;
  JsonExpression();

  std::string literal_;  // used if there is no code
  std::unique_ptr<const Code> code_;
};

/// The expression in PCRE2's syntax. Error: kUnsupported with the construct that has no equal there.
Result<std::string> translate_expression(std::string_view pattern,
                                         ExpressionSyntax syntax = ExpressionSyntax::kOniguruma);

}  // namespace partita::internal
