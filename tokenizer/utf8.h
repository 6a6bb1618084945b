// Where characters begin and end in bytes that may not be UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace partita {

/// The first thing in a stretch of bytes: a character, or bytes that are none.
struct Utf8Unit {
  enum class Kind : std::uint8_t {
    kCharacter,
    kInvalid,    // `length` bytes that no continuation can repair
    kTruncated,  // the text ends inside what may become a character
  };
  Kind kind;
  std::uint8_t length;  // 1 to 4; of invalid bytes the maximal subpart (Unicode 15, section 3.9, table 3-8)
};

/// Precondition: text is not empty.
Utf8Unit first_unit(std::string_view text);

/// The length of the longest prefix that is valid UTF-8.
std::size_t valid_prefix(std::string_view text);

/// The length of the longest prefix that has no character in it.
std::size_t invalid_prefix(std::string_view text);

}  // namespace partita
