// Reads the fields of a SentencePiece .model file that the library does not expose. The file is a protocol
// buffer; source of the field numbers: sentencepiece_model.proto.
#pragma once

#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/token.h"

namespace partita::internal {

struct SentencePieceFile {
  std::vector<std::string_view> pieces;  // in the bytes of the file
  std::vector<float> scores;             // of each piece
  std::vector<TokenKind> kinds;          // likewise
  bool merges_by_score = false;          // trainer_spec.model_type is BPE
  bool has_rules = false;                // normalizer_spec changes characters
  bool removes_extra_whitespace = true;  // normalizer_spec.remove_extra_whitespaces
  bool add_dummy_prefix = true;          // normalizer_spec.add_dummy_prefix
  bool whitespace_as_suffix = false;     // trainer_spec.treat_whitespace_as_suffix
};

/// Error: kBadFile if the bytes are not such a message, if a piece is empty or contains a zero byte, or if
/// more user-defined pieces than the library has room for begin one another.
Result<SentencePieceFile> parse_sentencepiece(std::string_view model);

/// Appended to a model's bytes, sets add_dummy_prefix to false: in a protocol buffer a later value of a field
/// replaces an earlier one, also in nested messages.
inline constexpr std::string_view kNoDummyPrefix("\x1A\x02\x18\x00", 4);

}  // namespace partita::internal
