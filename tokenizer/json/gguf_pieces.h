// Which BPE tokenizers of tokenizer.json are one of SentencePiece, as GGUF files have them.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/json/added_tokens.h"

namespace partita::internal {

/// tokenizer.ggml.model "llama" of a tokenizer.json.
struct GgufPieces {
  std::vector<float> scores;      // by id; of tokens that no merge makes, the lowest
  bool add_space_prefix = false;  // tokenizer.ggml.add_space_prefix
};

/// The scores that order merges as the file does, where every text but one with U+2581 then has the same ids.
/// Errors: kBadFile for a field of another form; kUnsupported, naming what GGUF files cannot express.
Result<GgufPieces> gguf_pieces(const nlohmann::json& file, const std::vector<AddedToken>& added);

}  // namespace partita::internal
