// Opens a model: a GGUF file, the bundled model, or the directory of a checkpoint. Internal to api/.
#pragma once

#include <string>

#include "weights/gguf/gguf.h"

namespace partita::internal {

/// Whether a path is that of a directory with config.json.
bool is_checkpoint(const std::string& path);

/// A directory with config.json is opened as the model file that it becomes (api/convert/open_checkpoint.h),
/// with the tokenizer of the GGUF file `vocabulary`, or its own for an empty path. A
/// file named tokenizer.json or tokenizer.model is a model file that has a vocabulary alone. Errors: those of
/// open_gguf_file(), open_checkpoint(), json_vocabulary() and sentencepiece_vocabulary().
Result<Gguf> open_model_file(const std::string& path, const std::string& vocabulary = {});

}  // namespace partita::internal
