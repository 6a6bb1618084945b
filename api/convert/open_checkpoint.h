// A Hugging Face checkpoint as the model file that it becomes. Internal to api/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/adapters/merges.h"
#include "api/convert/checkpoint_config.h"
#include "api/convert/checkpoint_vocabulary.h"
#include "api/convert/tensor_map.h"
#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/gguf/writer.h"

namespace partita::internal {

/// The chat template that a checkpoint has for itself, as transformers names its file.
inline constexpr std::string_view kTemplateFile = "chat_template.jinja";

struct OpenCheckpoint {
  CheckpointConfig config;
  GgufWriter file;  // its tensors are read from the checkpoint when they are asked for
  std::size_t tensors = 0;
  std::uint64_t parameters = 0;
  std::vector<std::string> in_f16;              // see ConvertResult
  std::map<std::string, std::size_t> left_out;  // likewise
  TensorMap map;                                // of the checkpoint's tensors
};

/// Opens a directory with config.json and safetensors. Its chat template is that of the vocabulary only where
/// it has none of its own (chat_template.jinja, tokenizer_config.json); generation_config.json may add tokens
/// that end an answer. `type`: of matrices; none: as they are stored. Errors: those of convert()
/// (partita/convert.hpp), but for writing; numbers are checked when they are read. merges: adapters that are
/// merged into the tensors, and may be added until they are read; null: none.
Result<OpenCheckpoint> open_checkpoint(const std::string& directory, const VocabularyPaths& vocabulary,
                                       std::optional<Dtype> type,
                                       std::shared_ptr<const Merges> merges = nullptr);

}  // namespace partita::internal
