// Rank files of tiktoken and tekken.json as metadata of a model file. Internal to api/.
#pragma once

#include <cstdint>
#include <string>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// The metadata of byte-level BPE for the tekken.json or the rank file at `path`, with `size` tokens (0: as
/// many as there are): merges as llama.cpp's converter derives them from ranks. Beside a rank file
/// tokenizer_config.json may have the expression that splits text ("pat_str"), special tokens
/// (added_tokens_decoder) and a tokenizer_class; without "pat_str" a row of tokenizer/ranks/rank_families.cc
/// tells. Errors: those of read_ranks(), read_tekken() and rank_merges(); kBadFile for ids that are not below
/// `size` or that two tokens have; kUnsupported for ranks of an unknown family, and with `only_gguf` for an
/// expression that GGUF files have no name for.
Result<Gguf> rank_vocabulary(const std::string& path, std::uint32_t size, bool only_gguf);

}  // namespace partita::internal
