#include "tokenizer/models/byte_alphabet.h"

#include <array>
#include <cstddef>
#include <optional>

namespace partita::internal {
namespace {

constexpr bool is_printable(unsigned code) {
  return (code >= 0x21 && code <= 0x7E) || (code >= 0xA1 && code <= 0xAC) || (code >= 0xAE && code <= 0xFF);
}

constexpr std::size_t kCodes = 0x100 + 68;  // 68 bytes are not printable

struct Alphabet {
  std::array<std::uint16_t, 256> code_of{};    // byte -> code point
  std::array<std::int16_t, kCodes> byte_of{};  // code point -> byte, -1 for none

  constexpr Alphabet() {
    byte_of.fill(-1);
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const unsigned code = is_printable(byte) ? byte : next++;
      code_of[byte] = static_cast<std::uint16_t>(code);
      byte_of[code] = static_cast<std::int16_t>(byte);
    }
  }
};

constexpr Alphabet kAlphabet;

/// The byte that the character at text[at] spells; advances `at` past it.
std::optional<char> read_byte(std::string_view text, std::size_t& at) {
  unsigned code = static_cast<std::uint8_t>(text[at++]);
  if (code >= 0x80) {
    if ((code & 0xE0) != 0xC0 || at == text.size()) return std::nullopt;
    code = (code & 0x1F) << 6 | (static_cast<std::uint8_t>(text[at++]) & 0x3F);
  }
  if (code >= kCodes || kAlphabet.byte_of[code] < 0) return std::nullopt;
  return static_cast<char>(kAlphabet.byte_of[code]);
}

}  // namespace

std::string byte_spelling(std::uint8_t byte) {
  const unsigned code = kAlphabet.code_of[byte];
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
}

void append_surface(std::string_view spelling, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t at = 0; at < spelling.size();) {
    const std::optional<char> byte = read_byte(spelling, at);
    if (!byte) {
      out.resize(before);
      out += spelling;
      return;
    }
    out += *byte;
  }
}

}  // namespace partita::internal
