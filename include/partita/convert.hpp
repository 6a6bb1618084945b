// Checkpoints to model files; part of partita.hpp. docs/convert.md says what is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/partita.hpp"

namespace partita {

struct ConvertOptions {
  std::string vocabulary;                        // a GGUF file whose words and chat template the model has
  std::string type = "f16";                      // of matrices: one of convert_types()
  std::function<bool(float fraction)> progress;  // returning false stops it
};

struct ConvertResult {
  std::string path;
  std::string head;  // "dense", "adaptive", "classes", "tree", "mixture"
  std::size_t layers = 0, vocab_size = 0, tensors = 0;
  std::uint64_t parameters = 0, file_bytes = 0;
  /// Matrices in f16 although a quantized type was asked for: their columns are no whole blocks of it, or
  /// they have so few rows that nothing would be saved.
  std::vector<std::string> in_f16;
};

/// "f32", "f16", "bf16", "q4_0" and so on. Static data.
PARTITA_API std::span<const std::string_view> convert_types() noexcept;

/// Makes a model file of a directory with config.json and model.safetensors (or its index) of a Llama in
/// Hugging Face's names, its output head dense or one of docs/convert.md. The file appears complete or not at
/// all. Errors, one sentence each: kInvalidArgument (options); kNotFound; kIo; kBadFile naming key or tensor,
/// value and limit; kUnsupported for what a model file cannot say; kBadNumbers; kCancelled.
PARTITA_API Result<ConvertResult> convert(const std::string& checkpoint, const std::string& path,
                                          const ConvertOptions& options);

}  // namespace partita
