// The alphabet of byte-level BPE: every byte is written as a printable character. Those that are printable in
// Latin-1 stand for themselves, the others are U+0100 and on. Source: bytes_to_unicode() of GPT-2's
// encoder.py.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace partita {

/// How a byte is spelled: one character of one or two bytes of UTF-8.
std::string byte_spelling(std::uint8_t byte);

/// Appends the bytes that a token's spelling stands for. A spelling with a character outside the alphabet
/// stands for its own bytes, as added tokens do.
void append_surface(std::string_view spelling, std::string& out);

}  // namespace partita
