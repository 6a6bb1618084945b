#include "tokenizer/models/piece_surface.h"

#include "tokenizer/vocabulary.h"

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

}  // namespace partita::internal
