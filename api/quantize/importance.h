// Importance matrices: for each linear layer the mean square of every column of its input, measured on a
// text. The files are GGUF, as llama.cpp's llama-imatrix writes them. Internal to api/.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"
#include "weights/gguf/tensor_view.h"

namespace partita::internal {

// The format: for each layer NAME a tensor NAME.in_sum2 [matrices][columns] of sums of squares and a tensor
// NAME.counts [matrices][1] of the rows that were summed.
inline constexpr std::string_view kImportanceType = "imatrix";  // general.type
inline constexpr std::string_view kDatasetsKey = "imatrix.datasets";
inline constexpr std::string_view kChunkCountKey = "imatrix.chunk_count";
inline constexpr std::string_view kChunkSizeKey = "imatrix.chunk_size";
inline constexpr std::string_view kSumsSuffix = ".in_sum2", kCountsSuffix = ".counts";

struct Importance {
  std::string path;
  std::string dataset;  // the first text that it was measured on; may be empty
  std::uint32_t chunks = 0;
  /// By tensor: [matrices][columns], each matrix scaled by a power of two to a mean from 1 to 2.
  std::map<std::string, std::vector<float>, std::less<>> columns;

  /// Errors: those of Gguf::open(); kBadFile naming the tensor for a file without general.type "imatrix", for
  /// sums without counts, other shapes, values that are negative or not finite, and means too large for
  /// floats.
  static Result<Importance> open(const std::string& path);

  /// Error: kBadFile if the model has none of the tensors.
  Result<void> check_model(const Gguf& model) const;

  /// Of a tensor [matrices][rows][columns], where all leading dimensions count matrices; empty if the file
  /// lacks it. Error: kBadFile for another size.
  Result<std::span<const float>> of(const TensorView& tensor) const;
};

}  // namespace partita::internal
