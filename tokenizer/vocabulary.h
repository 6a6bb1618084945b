// The vocabulary of a tokenizer, fully checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/lookup.h"
#include "tokenizer/token.h"

namespace partita::internal {

inline constexpr std::size_t kMaxVocabulary = std::size_t{1} << 22;  // tokens; the largest in use have 2^18
inline constexpr std::size_t kMaxSpelling = 4096;              // bytes; the longest in use have some 500
inline constexpr std::size_t kMaxText = std::size_t{1} << 28;  // bytes in one call

/// A vocabulary from a file, fully checked.
struct TokenizerVocabulary {
  StringTable spellings;         // as in the file: "Ġthe", "▁the", "<0x0A>"
  StringTable surfaces;          // the bytes of each token: " the", " the", "\n"
  std::vector<TokenKind> kinds;  // same size as spellings and surfaces
  SpecialIds specials;
  bool add_space_prefix = false;  // encode() puts a space before every text, decode() removes it
};

/// SpecialIds::end_of_generation: `ends` and the control tokens whose spelling marks the end of an answer,
/// from llama.cpp's list.
std::vector<TokenId> with_ends_by_spelling(std::vector<TokenId> ends,
                                           std::span<const std::string_view> spellings,
                                           std::span<const TokenKind> kinds);

/// The byte that "<0x0A>" spells.
std::optional<std::uint8_t> spelled_byte(std::string_view spelling);

}  // namespace partita::internal
