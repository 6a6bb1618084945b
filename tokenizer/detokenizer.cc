#include "tokenizer/detokenizer.h"

#include <string_view>

#include "tokenizer/utf8.h"

namespace partita::internal {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Removes complete characters and invalid bytes from `held` and returns them; an incomplete character stays.
std::string take_complete(std::string& held) {
  std::string text;
  std::string_view rest = held;
  while (!rest.empty()) {
    const Utf8Unit unit = first_unit(rest);
    if (unit.kind == Utf8Unit::Kind::kTruncated) break;
    text += unit.kind == Utf8Unit::Kind::kCharacter ? rest.substr(0, unit.length) : kReplacement;
    rest.remove_prefix(unit.length);
  }
  held.erase(0, held.size() - rest.size());
  return text;
}

}  // namespace

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool show_control)
    : tokenizer_(&tokenizer), show_control_(show_control) {}

std::string Detokenizer::push(TokenId id) {
  // At the start of a text decode() removes the space that encode() added.
  held_ += first_ ? tokenizer_->decode({&id, 1}, show_control_) : tokenizer_->piece(id, show_control_);
  first_ = tokenizer_->kind(id) == TokenKind::kControl;
  return take_complete(held_);
}

std::string Detokenizer::finish() {
  std::string text = take_complete(held_);
  if (!held_.empty()) text += kReplacement;
  held_.clear();
  first_ = true;
  return text;
}

}  // namespace partita::internal
