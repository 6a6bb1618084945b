// Converting a Hugging Face checkpoint (config.json and safetensors) to a GGUF model file. docs/convert.md
// lists what is supported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/adapter.hpp"
#include "partita/export.hpp"
#include "partita/result.hpp"

namespace partita {

/// An adapter that is merged into the weights.
struct MergedAdapter {
  std::string path;  // of a GGUF adapter or a directory of PEFT
  float scale = 1;   // finite
};

struct ConvertOptions {
  /// A GGUF file whose tokenizer is taken. Empty: that of the checkpoint itself (tokenizer.model, or the
  /// first GGUF file in its directory), or else that of other_vocabulary.
  std::string vocabulary, other_vocabulary;
  std::string type;                              // of matrices: one of convert_types(); empty: as stored
  std::vector<MergedAdapter> adapters;           // added in this order; at most 16, of different names
  std::function<bool(float fraction)> progress;  // returning false stops it
};

struct ConvertResult {
  std::string path;
  std::string head;  // "dense", "adaptive", "classes", "tree", "mixture"
  std::size_t layers = 0, vocab_size = 0, tensors = 0;
  std::uint64_t parameters = 0, file_bytes = 0;
  /// Matrices in f16 although a quantized type was asked for: their columns are no multiple of its block
  /// size, or they have fewer than 16 rows.
  std::vector<std::string> in_f16;
  /// Of a model that sees or hears too: the parts that the text model does not need, and their tensors.
  std::map<std::string, std::size_t> left_out;
  std::vector<AdapterInfo> adapters;  // that were merged
};

/// The types of ConvertOptions::type: "f32", "f16", "bf16", "q4_0" and so on. Static data.
PARTITA_API std::span<const std::string_view> convert_types() noexcept;

/// Converts a checkpoint: a directory with config.json and model.safetensors (or its index) of one of the
/// families of docs/convert.md, its output head dense or one of those there. The model file is written as
/// a whole or not at all. Errors: kInvalidArgument (options); kNotFound; kIo; kBadFile naming key or tensor,
/// value and limit; kUnsupported for what a model file cannot express; kBadNumbers; kCancelled; those of
/// Adapter::open() about adapters, also for one of an embedding that is the output too.
PARTITA_API Result<ConvertResult> convert(const std::string& checkpoint, const std::string& path,
                                          const ConvertOptions& options);

}  // namespace partita
