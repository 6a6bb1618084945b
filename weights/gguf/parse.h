// Parses a GGUF file into checked tables. Internal to weights/; the interface is gguf.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/tensor_view.h"
#include "weights/gguf/value.h"
#include "weights/input_file.h"

namespace partita::internal {

/// The parsed file. Views point into the file; the tables together take less than twice the file's size.
struct GgufContents {
  std::uint32_t version = 0;
  std::vector<GgufEntry> metadata;                              // in file order
  std::vector<std::uint32_t> metadata_by_key;                   // indices, sorted by key
  std::vector<std::unique_ptr<std::uint64_t[]>> string_starts;  // GgufArrays of strings point here
  std::vector<TensorView> tensors;                              // in file order
  std::vector<UnsupportedTensor> unsupported;                   // in file order
  std::vector<std::uint32_t> tensors_by_name;                   // indices, sorted by name
};

/// Reads and checks everything but the tensor data; loads only the part of the file that this needs.
Result<GgufContents> parse_gguf(InputFile& file);

}  // namespace partita::internal
