// Quantizes the tensors of a model, part by part, on all threads. Internal to api/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/kernels/parallel.h"
#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// One tensor of the new file.
struct TensorJob {
  TensorView from;
  Dtype to;
  std::span<const float> importance;  // [matrices][columns]; empty: none
};

/// Writes rows of tensors in their new types. The bytes do not depend on the number of threads.
class TensorQuantizer {
 public:
  TensorQuantizer(const Gguf& model, int threads) : model_(model), team_(threads) {}

  /// out: whole rows of the job's tensor, from byte `first` of its data on. Errors: those of Gguf::read();
  /// kBadNumbers naming the first value that is not finite or too large for the type.
  Result<void> write(const TensorJob& job, std::uint64_t first, std::span<std::byte> out);

  /// Quantizes the whole tensor, and returns the sum of the squares of the differences, each weighed by the
  /// importance of its column. out: as many bytes as the tensor has in its new type. Errors: those of
  /// write().
  Result<double> quantize(const TensorJob& job, std::span<std::byte> out);

  /// Sets the root mean square of the differences between old and new values, by the name of the new type.
  void report_errors(std::map<std::string, double>& by_type) const;

  struct Squares {
    double plain = 0, weighed = 0;
  };

 private:
  Result<Squares> write_rows(const TensorJob& job, std::uint64_t first, std::span<std::byte> out);

  struct Errors {
    double squares = 0;
    std::uint64_t values = 0;
  };

  const Gguf& model_;
  Team team_;
  std::map<Dtype, Errors> errors_;
};

}  // namespace partita::internal
