// What one pass over the data of a file says about each tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

struct TensorFacts {
  std::uint64_t nan = 0, infinite = 0;  // elements
  std::uint64_t first_bad = 0;          // index of the first of them
  bool constant = true;                 // all elements are `value`
  float value = 0;                      // the first element
  std::uint64_t digest = 0;             // of the bytes, a 64-bit checksum
};

/// Reads every tensor once, with all threads. progress: called with the fraction done; returning false stops
/// with kCancelled. Returns [file.tensors()]. Error: kIo.
Result<std::vector<TensorFacts>> read_facts(const Gguf& file, int threads,
                                            const std::function<bool(float)>& progress);

}  // namespace partita::internal
