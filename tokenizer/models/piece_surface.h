// The surfaces (texts) of SentencePiece pieces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "partita/result.hpp"
#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/token.h"
#include "tokenizer/vocabulary.h"

namespace partita::internal {

/// Sets `surface` to the bytes of piece `id`: U+2581 becomes a space, "<0x0A>" of kind kByte one byte;
/// control and unknown pieces keep their spelling. Error: kBadFile for a byte piece that does not spell a
/// byte.
Result<void> piece_surface(std::size_t id, std::string_view spelling, TokenKind kind, std::string& surface);

/// Replaces U+2581 by a space, as SentencePiece reads it in text.
std::string unescape_spaces(std::string_view text);

/// Files without token types: tokens that spell a byte are byte tokens.
void mark_byte_tokens(GgufTokens& tokens);

/// What spellings are needed for: to be shown, or to be found by the merges of the file too.
enum class Spellings : std::uint8_t { kForDisplay, kForMerges };

/// The vocabulary of pieces: find() on the surfaces finds words. Error: as piece_surface().
Result<TokenizerVocabulary> piece_vocabulary(GgufTokens tokens, SpecialIds specials, Spellings use);

/// The byte token of each byte.
std::array<std::optional<TokenId>, 256> byte_tokens(const TokenizerVocabulary& vocabulary);

}  // namespace partita::internal
