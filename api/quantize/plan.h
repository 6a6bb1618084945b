// The tensors of the file that quantize() writes. Internal to api/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "api/quantize/importance.h"
#include "api/quantize/mix.h"
#include "api/quantize/tensor_quantizer.h"
#include "partita/quantize.hpp"
#include "weights/gguf/writer.h"

namespace partita::internal {

/// What is read must outlive the plan.
class QuantizePlan {
 public:
  QuantizePlan(const Gguf& model, const std::optional<Importance>& importance, bool allow_requantize)
      : model_(model), importance_(importance), allow_requantize_(allow_requantize) {}

  /// Adds a tensor of the model, and counts it in the result. Errors: kInvalidArgument for one that is
  /// quantized already; those of Importance::of().
  Result<void> add(const TensorView& tensor, TensorType type, QuantizeResult& result);

  /// Adds the tensors to a file. The plan and the quantizer must live until the file is written.
  void write_to(GgufWriter& file, TensorQuantizer& quantizer) const;

  /// A tensor with its importance. Errors: as of add().
  Result<TensorJob> job_of(const TensorView& tensor, Dtype to) const;

  const Gguf& model() const { return model_; }

 private:
  Result<void> check_source(const TensorView& tensor, Dtype to) const;

  const Gguf& model_;
  const std::optional<Importance>& importance_;
  const bool allow_requantize_;
  std::vector<TensorJob> jobs_;
};

/// The bytes of a tensor in another type.
std::uint64_t tensor_bytes(const TensorView& tensor, Dtype type);

/// Rows of a tensor as the model has them, from byte `first` of its data on. Errors: those of Gguf::read().
Result<void> copy_rows(const Gguf& model, const TensorView& tensor, std::uint64_t first,
                       std::span<std::byte> rows);

}  // namespace partita::internal
