// The tokenizer.ggml.* metadata of a GGUF file, read with every size and id checked.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"
#include "weights/gguf/gguf.h"

namespace partita {

/// tokenizer.ggml.tokens and tokenizer.ggml.token_type.
struct GgufTokens {
  std::vector<std::string_view> spellings;  // views of the file
  std::vector<TokenKind> kinds;             // as many; all kNormal if the file does not say
  std::size_t bytes = 0;                    // of all spellings together
  bool has_kinds = false;
};

/// Errors: kNotFound without tokens; kBadFile naming the token with a wrong type or a spelling that is too
/// long, or the array whose size is not that of the others.
Result<GgufTokens> read_tokens(const Gguf& file);

/// tokenizer.ggml.scores: one finite number for each of `count` tokens.
Result<std::vector<float>> read_scores(const Gguf& file, std::size_t count);

/// What holds where the metadata is silent.
struct SpecialDefaults {
  bool add_bos = false;
  std::optional<TokenId> bos, eos, unknown;  // taken if such a token exists and is a control or unknown one
};

/// The ids that mean something, and whether BOS and EOS belong to a prompt.
/// Errors: kBadFile naming the key whose id is outside the vocabulary, or a BOS or EOS that is asked for but
/// not named.
Result<SpecialIds> read_specials(const Gguf& file, const GgufTokens& tokens, const SpecialDefaults& defaults);

}  // namespace partita
