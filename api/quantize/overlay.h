// A model with other types for some of its tensors, in memory. Internal to api/.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "api/quantize/plan.h"
#include "api/quantize/tensor_quantizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// Holds the tensors that differ; the others are read from the model's file.
class Overlay {
 public:
  /// Both must outlive the overlay.
  Overlay(const QuantizePlan& plan, TensorQuantizer& quantizer)
      : plan_(plan), quantizer_(quantizer), replaced_(plan.model().tensors().size()) {}

  /// Gives a tensor another type. Returns the sum of squares that TensorQuantizer::quantize() returns; 0 for
  /// the type that the model has. Errors: those of QuantizePlan::job_of() and TensorQuantizer::quantize().
  Result<double> set(std::size_t tensor, Dtype to);
  /// Sets the types of all tensors; those that have theirs already are not quantized again.
  Result<void> set_all(const std::vector<Dtype>& types);
  /// Gives it back the type that the model has.
  void reset(std::size_t tensor) { replaced_[tensor].reset(); }

  /// The file as it would be, which the overlay must outlive unchanged. Errors: those of GgufWriter::open().
  Result<Gguf> open() const;

 private:
  struct Tensor {
    Dtype dtype;
    double squares;
    std::vector<std::byte> bytes;
  };

  const QuantizePlan& plan_;
  TensorQuantizer& quantizer_;
  std::vector<std::optional<Tensor>> replaced_;
};

}  // namespace partita::internal
