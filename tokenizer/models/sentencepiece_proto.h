// The few fields of a SentencePiece .model file that the library does not show. The file is a protocol
// buffer; source of the field numbers: sentencepiece_model.proto.
#pragma once

#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"

namespace partita {

struct SentencePieceFile {
  std::vector<TokenKind> kinds;  // of each piece
  bool adds_space = true;        // normalizer_spec.add_dummy_prefix
  bool space_at_end = false;     // trainer_spec.treat_whitespace_as_suffix
};

/// Error: kBadFile where the bytes are no such message, or a piece is empty or has a zero byte.
Result<SentencePieceFile> parse_sentencepiece(std::string_view model);

/// What to append to a model's bytes so that the library adds no space: a later value of a field replaces the
/// earlier one, in messages inside messages too.
inline constexpr std::string_view kAddNoSpace("\x1A\x02\x18\x00", 4);

}  // namespace partita
