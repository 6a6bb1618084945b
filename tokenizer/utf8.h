// UTF-8 decoding of bytes that may be invalid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace partita::internal {

/// The first unit of a byte sequence: a character, or invalid bytes.
struct Utf8Unit {
  enum class Kind : std::uint8_t {
    kCharacter,
    kInvalid,    // `length` bytes that are invalid whatever follows
    kTruncated,  // the text ends within a character
  };
  Kind kind;
  std::uint8_t length;  // 1 to 4; for invalid bytes the maximal subpart (Unicode 15, section 3.9, table 3-8)
};

/// Precondition: text is not empty.
Utf8Unit first_unit(std::string_view text);

/// The length of the longest prefix that is valid UTF-8.
std::size_t valid_prefix(std::string_view text);

/// The length of the longest prefix that contains no character.
std::size_t invalid_prefix(std::string_view text);

}  // namespace partita::internal
