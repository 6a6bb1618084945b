// Whether ids of one model mean the same to another.
#pragma once

#include <optional>
#include <string>

#include "tokenizer/tokenizer.h"

namespace partita {

/// How the second vocabulary differs from the first: in size, in the bytes, spelling or kind of an id (the
/// first such id, and what it is in both), or in which ids are BOS and end an answer. Nothing where they are
/// the same. In words that follow "the vocabularies differ: ".
std::optional<std::string> vocabulary_difference(const Tokenizer& first, const Tokenizer& second);

}  // namespace partita
