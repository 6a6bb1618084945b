// tokenizer.ggml.merges.
#pragma once

#include "partita/result.hpp"
#include "tokenizer/lookup.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// The merges of a file, by the ids of their parts; the first has rank 0. Error: kBadFile with the merge
/// whose parts or result are no token of `spellings`.
Result<MergeTable> read_merges(const Gguf& file, const StringTable& spellings);

}  // namespace partita::internal
