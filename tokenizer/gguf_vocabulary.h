// Reads the tokenizer.ggml.* metadata of a GGUF file; checks every size and id.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/token.h"
#include "tokenizer/vocabulary.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// tokenizer.ggml.tokens and tokenizer.ggml.token_type.
struct GgufTokens {
  std::vector<std::string_view> spellings;  // views of the file
  std::vector<TokenKind> kinds;             // same size; all kNormal if the file has no token types
  std::size_t bytes = 0;                    // of all spellings together
  bool has_kinds = false;
};

/// Errors: kNotFound without tokens; kBadFile with the token whose type is invalid or whose spelling is too
/// long, or with the array whose size differs from the others.
Result<GgufTokens> read_tokens(const Gguf& file);

/// tokenizer.ggml.scores: one finite number for each of `count` tokens.
Result<std::vector<float>> read_scores(const Gguf& file, std::size_t count);

/// Defaults for missing metadata.
struct SpecialDefaults {
  bool add_bos = false;
  std::optional<TokenId> bos, eos, unknown;  // used if the token exists and is a control or unknown token
};

/// The ids of special tokens, and whether BOS and EOS are added to a prompt. Errors: kBadFile with the key
/// whose id is outside the vocabulary, or with add_bos_token or add_eos_token if it is true without an id.
Result<SpecialIds> read_specials(const Gguf& file, const GgufTokens& tokens, const SpecialDefaults& defaults);

}  // namespace partita::internal
