// The byte alphabet of byte-level BPE: every byte is written as a printable character. Bytes that are
// printable in Latin-1 map to themselves, the others to U+0100 and up. Source: bytes_to_unicode() of GPT-2's
// encoder.py.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace partita::internal {

/// The spelling of a byte: one character of one or two bytes of UTF-8.
std::string byte_spelling(std::uint8_t byte);

/// Appends the bytes of a token from its spelling. A spelling with a character outside the alphabet is taken
/// literally, as for added tokens.
void append_surface(std::string_view spelling, std::string& out);

}  // namespace partita::internal
