// Compares two vocabularies, for models that exchange token ids (draft models, ensembles).
#pragma once

#include <optional>
#include <string>

#include "tokenizer/tokenizer.h"

namespace partita::internal {

/// How the second vocabulary differs from the first: in size, in the bytes, spelling or kind of a token
/// (reports the first such id with both tokens), in BOS or in the end-of-generation tokens. nullopt if they
/// are the same. The text continues "the vocabularies differ: ".
std::optional<std::string> vocabulary_difference(const Tokenizer& first, const Tokenizer& second);

}  // namespace partita::internal
