// Where the vocabulary of a checkpoint comes from. Internal to api/.
#pragma once

#include <cstdint>
#include <string>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// GGUF files (or kBundledModel) whose tokenizer a checkpoint may take; both may be empty.
struct VocabularyPaths {
  std::string given;       // instead of the checkpoint's own
  std::string instead;     // where it has none of its own
  bool only_gguf = false;  // the model file is written: its metadata must express the tokenizer
};

/// A model file with the tokenizer of a checkpoint of `size` tokens: the given one; else that of
/// SentencePiece's tokenizer.model in the directory, where that can be read; else that of tokenizer.json;
/// else that of tiktoken's ranks in tokenizer.model; of tekken.json; of *.tiktoken or tiktoken.model; else
/// that of the first of its GGUF files, by name, which has tokens; else the other one. Errors: kNotFound
/// without any; those of open_gguf_file() and file_vocabulary().
Result<Gguf> open_vocabulary(const std::string& directory, const VocabularyPaths& paths, std::uint32_t size);

}  // namespace partita::internal
