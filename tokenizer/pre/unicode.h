// Classes of characters: what the expressions of pre-tokenizers ask about. They follow Unicode 16, as
// Oniguruma does, with which Hugging Face's tokenizers match. A two-level table maps a character to a letter,
// and a letter is a bit of a ClassSet, so that membership in any set is one test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace partita::internal {

using ClassSet = std::uint32_t;

constexpr ClassSet class_bit(char letter) { return ClassSet{1} << (letter - 'a'); }

/// The sets of classes. The letters are those of tests/oracles/make_unicode_table.py.
namespace classes {
inline constexpr ClassSet kUpper = class_bit('b') | class_bit('d');      // Lu, Lt
inline constexpr ClassSet kLower = class_bit('c');                       // Ll
inline constexpr ClassSet kHanLetter = class_bit('n') | class_bit('o');  // Lo and Lm of the script Han
inline constexpr ClassSet kCaseless = class_bit('e') | class_bit('f') | kHanLetter;  // Lm, Lo
inline constexpr ClassSet kLetter = kUpper | kLower | kCaseless;
inline constexpr ClassSet kMark = class_bit('g') | class_bit('p');
inline constexpr ClassSet kDecimal = class_bit('h');  // Nd
inline constexpr ClassSet kNumber = kDecimal | class_bit('i') | class_bit('q');
inline constexpr ClassSet kRustNumber = kNumber | class_bit('w');  // Unicode 17's: see \p{Numeric}
inline constexpr ClassSet kPunctuation = class_bit('k') | class_bit('t');
inline constexpr ClassSet kSymbol = class_bit('l') | class_bit('r');
inline constexpr ClassSet kNewline = class_bit('u');  // \r and \n
inline constexpr ClassSet kBlank = class_bit('v');    // U+0020
inline constexpr ClassSet kSpace = class_bit('m') | kNewline | kBlank;
inline constexpr ClassSet kHan =
    kHanLetter | class_bit('p') | class_bit('q') | class_bit('r') | class_bit('t');
}  // namespace classes

/// Of 128 characters each; kClassIndex gives the block of a character below kClassEnd. Behind it there are
/// but the marks U+E0100 to U+E01EF.
extern const char kClassBlocks[];
extern const std::uint8_t kClassIndex[];
inline constexpr char32_t kClassEnd = 0x32400;

/// What Unicode 16 adds to the property \p{name} of Unicode 14, as the contents of a bracket expression; of
/// the script Han, all.
struct Addition {
  std::string_view name;
  std::string_view characters;
};
extern const Addition kAdditions[];
extern const std::size_t kAdditionCount;

/// Empty: none.
inline std::string_view additions_of(std::string_view property) {
  for (std::size_t i = 0; i < kAdditionCount; ++i) {
    if (kAdditions[i].name == property) return kAdditions[i].characters;
  }
  return {};
}

inline ClassSet class_of(char32_t code) {
  if (code >= kClassEnd) return code >= 0xE0100 && code < 0xE01F0 ? class_bit('g') : class_bit('a');
  return class_bit(kClassBlocks[kClassIndex[code >> 7] * 128u + (code & 127)]);
}

/// One character of valid UTF-8.
struct Character {
  char32_t code;
  std::uint32_t length;  // in bytes
};

inline Character character_at(const char* at) {
  const auto byte = [at](int i) { return static_cast<char32_t>(static_cast<unsigned char>(at[i])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 31) << 6 | (byte(1) & 63), 2};
  if (lead < 0xF0) return {(lead & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63), 3};
  return {(lead & 7) << 18 | (byte(1) & 63) << 12 | (byte(2) & 63) << 6 | (byte(3) & 63), 4};
}

}  // namespace partita::internal
