// Makes adapters of the tensors in their files: every name and shape is compared with the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/adapter.h"
#include "engine/model.h"
#include "partita/result.hpp"

namespace partita::internal {

inline constexpr std::size_t kMaxAdapterRank = 1024;

/// How an adapter changes one tensor of a model file, [rows][cols], or [count][rows][cols].
struct AdapterPair {
  std::string tensor;              // of the model file
  std::size_t count = 1;           // slices of a stack; 1: a matrix
  std::size_t rank = 0, rows = 0;  // of each slice
  std::size_t cols = 0;
  Vector a;         // [count][rank][cols]; of the embedding: [rows of the table][rank]
  Vector b;         // [count][rows][rank]; of the embedding: [hidden][rank]
  float scale = 1;  // of B A: alpha / rank
};

/// A file of an adapter, in the names of model files.
struct AdapterTensors {
  std::string path, name;
  std::vector<AdapterPair> pairs;
};

/// LoadedAdapter::digest().
std::uint64_t digest_of(const AdapterTensors& tensors);

/// What holds of a pair of `from` for every model. Errors: kBadFile for its rank; kBadNumbers.
Result<void> check_pair(const AdapterTensors& from, const AdapterPair& pair);

/// Errors: those of check_pair(); kBadFile or kUnsupported naming a tensor that the model lacks or that no
/// adapter can change, or whose shape differs (expected and found); kOutOfMemory.
Result<std::shared_ptr<const LoadedAdapter>> load_adapter(AdapterTensors tensors,
                                                          std::shared_ptr<const Transformer> model);

}  // namespace partita::internal
