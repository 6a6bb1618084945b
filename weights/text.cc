#include "partita/text.hpp"

#include <algorithm>
#include <cstddef>

#include "weights/sentence.h"

namespace partita {
namespace {

unsigned char byte_of(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

/// The length of the UTF-8 character at the start of `text`; 0 if there is none.
std::size_t character_bytes(std::string_view text) {
  const unsigned char first = byte_of(text, 0);
  const std::size_t count = first < 0x80   ? 1
                            : first < 0xC2 ? 0
                            : first < 0xE0 ? 2
                            : first < 0xF0 ? 3
                            : first < 0xF5 ? 4
                                           : 0;
  if (count == 0 || count > text.size()) return 0;
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte_of(text, i) & 0xC0) != 0x80) return 0;
  }
  return count;
}

/// Whether a terminal would act on the character instead of showing it: C0, DEL, C1, U+200E, U+200F, U+2028
/// to U+202E, U+2066 to U+2069.
bool is_terminal_control(std::string_view character) {
  const auto byte = [&](std::size_t i) { return byte_of(character, i); };
  if (character.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
  if (character.size() == 2) return byte(0) == 0xC2 && byte(1) < 0xA0;
  if (character.size() != 3 || byte(0) != 0xE2) return false;
  return (byte(1) == 0x80 && (byte(2) == 0x8E || byte(2) == 0x8F || (byte(2) >= 0xA8 && byte(2) <= 0xAE))) ||
         (byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t count = character_bytes(text);
    const std::string_view piece = text.substr(0, std::max<std::size_t>(count, 1));
    if (count > 0 && !is_terminal_control(piece)) {
      out += piece;
    } else {
      internal::append_escaped(piece, out);
    }
    text.remove_prefix(piece.size());
  }
  return out;
}

}  // namespace partita
