// What a SentencePiece piece stands for in text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"

namespace partita {

/// Writes the bytes that piece number `id` stands for to `surface`: U+2581 is a space, "<0x0A>" of kind kByte
/// one byte; control and unknown pieces stand for nothing but keep their spelling.
/// Error: kBadFile naming a byte piece that spells no byte.
Result<void> piece_surface(std::size_t id, std::string_view spelling, TokenKind kind, std::string& surface);

/// U+2581 as a space: how SentencePiece reads it in text.
std::string unescape_spaces(std::string_view text);

}  // namespace partita
