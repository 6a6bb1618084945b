#include "tokenizer/models/piece_surface.h"

#include <utility>

#include "weights/try.h"

namespace partita::internal {

Result<void> piece_surface(std::size_t id, std::string_view spelling, TokenKind kind, std::string& surface) {
  surface.clear();
  if (kind == TokenKind::kByte) {
    const auto byte = spelled_byte(spelling);
    if (!byte) {
      return Error{ErrorCode::kBadFile, "token " + std::to_string(id) + " is a byte but spelled \"" +
                                            std::string(spelling.substr(0, 100)) + "\", not like \"<0x0A>\""};
    }
    surface.push_back(static_cast<char>(*byte));
    return {};
  }
  if (kind == TokenKind::kControl || kind == TokenKind::kUnknown) {
    surface = spelling;
    return {};
  }
  surface = unescape_spaces(spelling);
  return {};
}

std::string unescape_spaces(std::string_view text) {
  constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581
  std::string result;
  result.reserve(text.size());
  while (true) {
    const std::size_t mark = text.find(kSpaceMark);
    result += text.substr(0, mark);
    if (mark == std::string_view::npos) return result;
    result += ' ';
    text.remove_prefix(mark + kSpaceMark.size());
  }
}

void mark_byte_tokens(GgufTokens& tokens) {
  if (tokens.has_kinds) return;
  for (std::size_t i = 0; i < tokens.kinds.size(); ++i) {
    if (spelled_byte(tokens.spellings[i])) tokens.kinds[i] = TokenKind::kByte;
  }
}

Result<TokenizerVocabulary> piece_vocabulary(GgufTokens tokens, SpecialIds specials, Spellings use) {
  const bool find_spellings = use == Spellings::kForMerges;
  StringTable spellings(find_spellings ? tokens.kinds.size() : 0, tokens.bytes);
  StringTable surfaces(tokens.kinds.size(), tokens.bytes);
  std::string surface;
  for (std::size_t i = 0; i < tokens.kinds.size(); ++i) {
    const std::string_view spelling = tokens.spellings[i];
    const TokenKind kind = tokens.kinds[i];
    TRY(piece_surface(i, spelling, kind, surface));
    spellings.add(spelling, find_spellings && !spelling.empty());
    surfaces.add(surface, !surface.empty() && (kind == TokenKind::kNormal || kind == TokenKind::kUnused ||
                                               kind == TokenKind::kUserDefined));
  }
  return TokenizerVocabulary{std::move(spellings), std::move(surfaces), std::move(tokens.kinds),
                             std::move(specials)};
}

std::array<std::optional<TokenId>, 256> byte_tokens(const TokenizerVocabulary& vocabulary) {
  std::array<std::optional<TokenId>, 256> tokens;
  for (std::size_t i = 0; i < vocabulary.kinds.size(); ++i) {
    if (vocabulary.kinds[i] != TokenKind::kByte) continue;
    tokens[static_cast<std::uint8_t>(vocabulary.surfaces[i][0])] = static_cast<TokenId>(i);
  }
  return tokens;
}

}  // namespace partita::internal
