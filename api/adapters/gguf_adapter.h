// Reads LoRA adapters in GGUF files, as llama.cpp's convert_lora_to_gguf.py writes them. Internal to api/.
#pragma once

#include <string>
#include <string_view>

#include "engine/adapter_loader.h"
#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// Whether general.type says that the file is an adapter.
bool is_adapter(const Gguf& file);

/// The pairs "NAME.lora_a" and "NAME.lora_b" of a file with general.type "adapter", adapter.type "lora" and
/// adapter.lora.alpha. family: the model's general.architecture. Errors: kUnsupported, kBadFile naming key or
/// tensor, value and limit; kIo.
Result<AdapterTensors> read_gguf_adapter(const Gguf& file, std::string_view family);

/// "a LoRA adapter for models of the family 'llama' (14 matrices, rank 16)"
std::string describe_adapter(const AdapterTensors& tensors, std::string_view family);

}  // namespace partita::internal
