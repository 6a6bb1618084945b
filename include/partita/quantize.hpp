// Quantizing a GGUF model file: fewer bits for its matrices. docs/quantize.md describes the mixes of types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "partita/export.hpp"
#include "partita/result.hpp"

namespace partita {

struct QuantizeOptions {
  std::string type = "Q4_K_M";  // one of quantize_types(), in either case
  std::string importance;       // a file of imatrix() or of llama.cpp's llama-imatrix; empty: none
  /// Part of a tensor's name, and the type ("Q6_K") of all tensors that are quantized and whose names have
  /// it; the first that fits. A part that is in no such name is an error.
  std::vector<std::pair<std::string, std::string>> tensor_types;
  std::string embedding_type, output_type;  // of token embeddings and LM head; empty: that of the mix
  /// Instead of `type`: chooses each tensor's type by what it does to the model's predictions on `text`.
  /// "4.5bpw" (bits per weight) or a size of the weights, "900MB" (GB, MiB, GiB); empty: none.
  std::string budget;
  /// Instead of `type`: the smallest model whose mean KL divergence from the original on `text` is at most
  /// this, in nats; 0: none.
  double max_divergence = 0;
  std::string text;  // some 600 tokens or more of what the model is for; for `budget` and `max_divergence`
  bool allow_requantize = false;                 // of tensors that have fewer than 16 bits already
  int threads = 0;                               // as in OpenOptions
  std::function<bool(float fraction)> progress;  // returning false stops it
};

struct QuantizeResult {
  std::string path;
  std::size_t tensors = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;  // of the files
  std::map<std::string, std::size_t> types;   // tensors of each type
  /// Root mean square of what quantizing changed, by type; types that were copied alone are missing.
  std::map<std::string, double> error;
  /// With a budget or a largest divergence: the mean KL divergence from the original, in nats, and the number
  /// of tokens of QuantizeOptions::text on which it was measured.
  double divergence = 0;
  std::size_t measured_tokens = 0;
  /// Tensors that were quantized without importance although a file was given, because it lacks them.
  std::vector<std::string> without_importance;
  /// Tensors whose columns are no multiple of the block of their type in the mix, so that they have another.
  std::vector<std::string> fallbacks;
};

/// The values of QuantizeOptions::type: "Q4_0", "Q4_K_M" and so on. Static data.
PARTITA_API std::span<const std::string_view> quantize_types() noexcept;

/// Quantizes the model file `from` (the first of a split one) into the new file `to`, which is written as a
/// whole or not at all. The same bytes on any number of threads. Errors: kInvalidArgument (options; tensors
/// that are quantized already, without allow_requantize); kNotFound; kIo; kBadFile; kUnsupported; kBadNumbers
/// naming a tensor and a value that is not finite, or too large for the type; kCancelled.
PARTITA_API Result<QuantizeResult> quantize(const std::string& from, const std::string& to,
                                            const QuantizeOptions& options = {});

}  // namespace partita
