// A Hugging Face checkpoint as the model file that it becomes. Internal to api/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/convert/checkpoint_config.h"
#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/gguf/gguf.h"
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
};

/// Opens a directory with config.json and safetensors; its tokenizer and chat template are those of
/// `vocabulary`, the latter only without a template of its own. `type`: of matrices; none: as they are
/// stored. Errors: those of convert() (partita/convert.hpp), but for writing; numbers are checked when they
/// are read.
Result<OpenCheckpoint> open_checkpoint(const std::string& directory, const Gguf& vocabulary,
                                       std::optional<Dtype> type);

}  // namespace partita::internal
