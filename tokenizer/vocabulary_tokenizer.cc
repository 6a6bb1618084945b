#include "tokenizer/vocabulary_tokenizer.h"

#include <utility>

namespace partita::internal {

VocabularyTokenizer::VocabularyTokenizer(TokenizerVocabulary vocabulary)
    : vocabulary_(std::move(vocabulary)) {
  std::vector<PrefixMatcher::Spelling> special_tokens;
  std::vector<PrefixMatcher::Spelling> user_defined;
  for (std::size_t i = 0; i < vocabulary_.kinds.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const TokenKind kind = vocabulary_.kinds[i];
    if (kind == TokenKind::kControl || kind == TokenKind::kUnknown) {
      special_tokens.push_back({vocabulary_.spellings[i], id});
    } else if (kind == TokenKind::kUserDefined) {
      user_defined.push_back({vocabulary_.surfaces[i], id});
    }
  }
  special_tokens_ = PrefixMatcher(std::move(special_tokens));
  user_defined_ = PrefixMatcher(std::move(user_defined));
}

Result<void> VocabularyTokenizer::encode(std::string_view text, Specials specials,
                                         std::vector<TokenId>& out) const {
  if (text.size() > kMaxText) {
    return Error{ErrorCode::kInvalidArgument, "the text has " + std::to_string(text.size()) +
                                                  " bytes; one call takes at most " +
                                                  std::to_string(kMaxText)};
  }
  const std::size_t size_before = out.size();
  const auto on_text = [&](std::string_view stretch) {
    return encode_text(stretch, out.empty() || begins_after(out.back()), out);
  };
  static const PrefixMatcher nothing;
  const PrefixMatcher& special = specials == Specials::kParse ? special_tokens_ : nothing;
  auto done = split_at_matches(special, text, on_text, [&out](TokenId id) { out.push_back(id); });
  if (!done) out.resize(size_before);
  return done;
}

std::string VocabularyTokenizer::piece(TokenId id, bool show_control) const {
  return std::string(shown(id, show_control));
}

std::string VocabularyTokenizer::decode(std::span<const TokenId> ids, bool show_control) const {
  std::string text;
  bool at_start = vocabulary_.add_space_prefix;
  for (const TokenId id : ids) {
    std::string_view bytes = shown(id, show_control);
    const bool after = begins_after(id);
    if (at_start && !after && bytes.starts_with(' ')) bytes.remove_prefix(1);
    text += bytes;
    at_start = vocabulary_.add_space_prefix && after;
  }
  return text;
}

TokenKind VocabularyTokenizer::kind(TokenId id) const {
  return contains(id) ? vocabulary_.kinds[static_cast<std::size_t>(id)] : TokenKind::kUnknown;
}

std::string_view VocabularyTokenizer::spelling(TokenId id) const {
  return contains(id) ? vocabulary_.spellings[static_cast<std::size_t>(id)] : std::string_view();
}

/// The text of a token that decode() returns.
std::string_view VocabularyTokenizer::shown(TokenId id, bool show_control) const {
  const TokenKind what = kind(id);
  if (what == TokenKind::kControl || what == TokenKind::kUnknown) {
    return show_control ? spelling(id) : std::string_view();
  }
  return vocabulary_.surfaces[static_cast<std::size_t>(id)];
}

/// Whether the token after this one starts a text.
bool VocabularyTokenizer::begins_after(TokenId id) const { return kind(id) == TokenKind::kControl; }

}  // namespace partita::internal
