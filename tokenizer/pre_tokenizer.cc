#include "tokenizer/pre_tokenizer.h"

#include <string>
#include <utility>

#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {

Result<PreTokenizer> PreTokenizer::create(std::string_view name, Splitter splitter) {
  const Scheme* const scheme = find_scheme(name);
  if (scheme == nullptr) {
    return Error{ErrorCode::kUnsupported,
                 "tokenizer.ggml.pre is \"" + shortened(name) + "\", which is none of the " +
                     std::to_string(scheme_names().size()) + " pre-tokenizers that this version knows"};
  }
  if (splitter == Splitter::kFastest && scheme->word_end != nullptr) {
    return PreTokenizer(*scheme, {}, scheme->word_end);
  }
  std::vector<Expression> expressions;
  for (const Pass& pass : scheme->passes) {
    if (pass.expression.empty()) continue;
    auto expression = Expression::compile(pass.expression);
    if (!expression) return expression.error();
    expressions.push_back(std::move(*expression));
  }
  return PreTokenizer(*scheme, std::move(expressions), nullptr);
}

Result<PreTokenizer> PreTokenizer::from_expression(std::string_view pattern) {
  static constexpr Scheme kByExpression{
      .names = {}, .passes = {}, .word_end = nullptr, .ignore_merges = true};
  auto expression = JsonExpression::compile(pattern, ExpressionSyntax::kFancyRegex);
  if (!expression) return expression.error();
  PreTokenizer made(kByExpression, {}, nullptr);
  made.own_ = *std::move(expression);
  return made;
}

Result<void> PreTokenizer::split(std::string_view text, std::vector<std::string_view>& words) const {
  return for_each_word(text, [&words](std::string_view word) { words.push_back(word); });
}

Result<void> PreTokenizer::split_by_passes(std::string_view text,
                                           std::vector<std::string_view>& words) const {
  if (own_) {
    std::vector<Stretch> stretches;
    TRY(own_->find(text, stretches));
    for (const Stretch& stretch : stretches)
      if (stretch.end > stretch.begin)
        words.push_back(text.substr(stretch.begin, stretch.end - stretch.begin));
    return {};
  }
  std::vector<std::string_view> whole{text};
  std::vector<std::string_view> parts;
  auto expression = expressions_.begin();
  for (const Pass& pass : scheme_->passes) {
    if (pass.empty()) break;
    parts.clear();
    for (const std::string_view word : whole) {
      if (pass.function != nullptr) {
        pass.function(word, parts);
      } else {
        TRY(expression->split(word, parts));
      }
    }
    if (pass.function == nullptr) ++expression;
    whole.swap(parts);
  }
  words.insert(words.end(), whole.begin(), whole.end());
  return {};
}

}  // namespace partita::internal
