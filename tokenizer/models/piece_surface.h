// The surface (text) of a SentencePiece piece.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "partita/result.hpp"
#include "tokenizer/token.h"

namespace partita::internal {

/// Sets `surface` to the bytes of piece `id`: U+2581 becomes a space, "<0x0A>" of kind kByte one byte;
/// control and unknown pieces keep their spelling. Error: kBadFile for a byte piece that does not spell a
/// byte.
Result<void> piece_surface(std::size_t id, std::string_view spelling, TokenKind kind, std::string& surface);

/// Replaces U+2581 by a space, as SentencePiece reads it in text.
std::string unescape_spaces(std::string_view text);

}  // namespace partita::internal
