// Reads the fields of a SentencePiece .model file that the library does not expose. The file is a protocol
// buffer; source of the field numbers: sentencepiece_model.proto.
#pragma once

#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/token.h"

namespace partita::internal {

struct SentencePieceFile {
  std::vector<TokenKind> kinds;       // of each piece
  bool add_dummy_prefix = true;       // normalizer_spec.add_dummy_prefix
  bool whitespace_as_suffix = false;  // trainer_spec.treat_whitespace_as_suffix
};

/// Error: kBadFile if the bytes are not such a message, if a piece is empty or contains a zero byte, or if
/// more user-defined pieces than the library has room for begin one another.
Result<SentencePieceFile> parse_sentencepiece(std::string_view model);

/// Appended to a model's bytes, sets add_dummy_prefix to false: in a protocol buffer a later value of a field
/// replaces an earlier one, also in nested messages.
inline constexpr std::string_view kNoDummyPrefix("\x1A\x02\x18\x00", 4);

}  // namespace partita::internal
