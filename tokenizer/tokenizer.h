// Tokenizer: text to token ids and back, byte-exact. Immutable after opening, so threads can share one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/token.h"

namespace partita::internal {

/// How to encode text that spells a special token, such as "<|im_end|>".
enum class Specials : std::uint8_t {
  kParse,   // it becomes the special token
  kAsText,  // it stays text
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Appends the ids of `text` (any bytes; not necessarily valid UTF-8). Adds neither BOS nor EOS.
  virtual Result<void> encode(std::string_view text, Specials specials, std::vector<TokenId>& out) const = 0;

  /// The number of bytes of `text` that encode() drops because the vocabulary has no token for them, as the
  /// reference implementations do. 0 for nearly every model; SmolLM2 lacks 21 of the 256 bytes, in valid text
  /// those of U+0004, U+0006, U+0013, U+0014, U+0016, U+001D and of U+40000 to U+BFFFF.
  virtual std::size_t dropped_bytes(std::string_view text) const;

  /// encode() with BOS and EOS as the metadata says; adds no second BOS if the text begins with one.
  virtual Result<std::vector<TokenId>> encode_prompt(std::string_view text,
                                                     Specials specials = Specials::kParse) const;

  /// The exact bytes of a token; empty for control tokens unless `show_control`.
  virtual std::string piece(TokenId id, bool show_control = false) const = 0;

  /// The exact text of a sequence: decode(encode(s)) == s if dropped_bytes(s) is 0. If the model adds a space
  /// before a text (add_space_prefix), decode() removes it at the start and after each control token.
  virtual std::string decode(std::span<const TokenId> ids, bool show_control = false) const = 0;

  virtual std::size_t size() const = 0;  // vocabulary
  virtual TokenKind kind(TokenId id) const = 0;
  virtual const SpecialIds& specials() const = 0;

  /// The entry as it is written in the vocabulary ("Ġthe", "▁the", "<0x0A>"), for display.
  virtual std::string_view spelling(TokenId id) const = 0;

  bool contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < size(); }
  bool ends_generation(TokenId id) const;
};

}  // namespace partita::internal
