#include "api/convert/convert_tensors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "weights/sentence.h"

namespace partita::internal {
namespace {

// Of a dimension that the checkpoint decides: limit of the engine (engine/tensor_loader.cc).
constexpr std::uint64_t kMaxSize = std::uint64_t{1} << 20;
constexpr std::uint64_t kMinQuantizedRows = 16;  // quantizing fewer saves nothing

/// The largest number that a type can hold; scales of quantized types are f16.
float max_of(Dtype type) {
  if (type == Dtype::kF32) return std::numeric_limits<float>::max();
  return type == Dtype::kBF16 ? 0x1.FEp127F : 65504;
}

/// Whether a tensor is a buffer, not a weight.
bool is_buffer(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq")            // angles, given by rope_theta
         || name == "lm_head.version"                      // of fairseq's AdaptiveSoftmax
         || name.ends_with("embed_tokens._float_tensor");  // of fairseq's AdaptiveInput
}

}  // namespace

TensorCopy::TensorCopy(const SafeTensors& from, bool larger, Dtype type,
                       const std::function<bool(float)>& progress, GgufWriter& to)
    : from_(from), part_(from, larger), type_(type), progress_(progress), to_(to) {
  for (const SafeTensor& tensor : from.tensors()) all_bytes_ += tensor.bytes.size();
}

void TensorCopy::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

bool TensorCopy::same(const std::string& one, const std::string& other) {
  const SafeTensor *a = find(one), *b = find(other);
  if (a == nullptr || b == nullptr || a->type != b->type || a->shape != b->shape) return false;
  const auto same = from_.same_bytes(*a, *b);
  if (!same) fail(same.error());
  return same && *same;
}

std::uint64_t TensorCopy::size_of(const std::string& name, std::size_t dimension) {
  if (error_) return 0;
  const SafeTensor* tensor = find(name);
  const std::string where = sentence("'", from_.path(), "'");
  if (tensor == nullptr) {
    fail({ErrorCode::kNotFound, sentence(where, " has no tensor ", internal::quoted(part_.stored(name)))});
    return 0;
  }
  const auto in_bounds = [](std::uint64_t size) { return size >= 1 && size <= kMaxSize; };
  if (tensor->shape.size() != 2 || !std::all_of(tensor->shape.begin(), tensor->shape.end(), in_bounds)) {
    fail({ErrorCode::kBadFile,
          sentence(where, ": tensor ", internal::quoted(name), " has shape ", shape_text(tensor->shape),
                   ", and a matrix of 1 to ", kMaxSize, " rows and columns was expected")});
    return 0;
  }
  return tensor->shape[dimension];
}

std::vector<float> TensorCopy::read(const std::string& of_text, std::initializer_list<std::uint64_t> shape) {
  if (error_) return {};
  const std::string name = part_.stored(of_text);
  const auto tensor = from_.tensor(name, shape);
  if (!tensor) {
    fail(tensor.error());
    return {};
  }
  used_.insert(name);
  auto values = from_.read(name);
  if (!values) {
    fail(values.error());
    return {};
  }
  const auto wrong =
      std::find_if(values->begin(), values->end(), [](float value) { return !std::isfinite(value); });
  if (wrong != values->end()) {
    fail({ErrorCode::kBadNumbers, sentence("'", from_.path(), "': element ", wrong - values->begin(),
                                           " of tensor ", internal::quoted(name), " is not finite")});
    return {};
  }
  read_bytes_ += (*tensor)->bytes.size();
  const double fraction = static_cast<double>(read_bytes_) / static_cast<double>(all_bytes_);
  if (progress_ && !progress_(static_cast<float>(std::min(fraction, 1.0)))) {
    fail({ErrorCode::kCancelled, "converting the checkpoint was stopped"});
    return {};
  }
  return *std::move(values);
}

void TensorCopy::write(const std::string& name, Dtype type, std::initializer_list<std::uint64_t> shape,
                       std::span<const float> values) {
  if (error_) return;
  const auto too_large = [max = max_of(type)](float value) { return std::abs(value) > max; };
  if (std::any_of(values.begin(), values.end(), too_large)) {
    const bool is_bf16 = type == Dtype::kBF16;
    return fail({ErrorCode::kBadNumbers,
                 sentence(internal::quoted(name), " has a value beyond the ",
                          is_bf16 ? "3.39e38 of bf16" : "65504 of f16", ", which ", internal::name(type),
                          " cannot hold: ", is_bf16 ? "f32 can" : "bf16 and f32 can")});
  }
  to_.add_tensor(name, type, shape, values);
  ++tensors_;
  parameters_ += values.size();
}

void TensorCopy::write_matrix(const std::string& name, std::uint64_t rows, std::uint64_t cols,
                              std::span<const float> values) {
  const std::size_t block = block_elements(type_);
  const bool fits = block == 1 || (cols % block == 0 && rows >= kMinQuantizedRows);
  if (!fits && !error_) in_f16_.push_back(name);
  write(name, fits ? type_ : Dtype::kF16, {rows, cols}, values);
}

void TensorCopy::write_stack(const std::string& name, std::uint64_t count, std::uint64_t rows,
                             std::uint64_t cols, std::span<const float> values) {
  const bool fits = cols % block_elements(type_) == 0;
  if (!fits && !error_) in_f16_.push_back(name);
  write(name, fits ? type_ : Dtype::kF16, {count, rows, cols}, values);
}

void TensorCopy::write_vector(const std::string& name, std::span<const float> values) {
  write(name, Dtype::kF32, {values.size()}, values);
}

void TensorCopy::matrix(const std::string& from, const std::string& to, std::uint64_t rows,
                        std::uint64_t cols, float scale) {
  auto values = read(from, {rows, cols});
  for (float& value : values) value *= scale;
  write_matrix(to, rows, cols, values);
}

void TensorCopy::matrix_in_f32(const std::string& from, const std::string& to, std::uint64_t rows,
                               std::uint64_t cols) {
  write_f32(to, rows, cols, read(from, {rows, cols}));
}

void TensorCopy::write_f32(const std::string& name, std::uint64_t rows, std::uint64_t cols,
                           std::span<const float> values) {
  write(name, Dtype::kF32, {rows, cols}, values);
}

void TensorCopy::vector(const std::string& from, const std::string& to, std::uint64_t size) {
  write_vector(to, read(from, {size}));
}

void TensorCopy::vector_if_there(const std::string& from, const std::string& to, std::uint64_t size) {
  if (has(from)) vector(from, to, size);
}

float TensorCopy::number(const std::string& name) {
  const auto values = rank(name) == 0 ? read(name, {}) : read(name, {1});
  return values.empty() ? 0 : values.front();
}

void TensorCopy::skip_all(std::string_view prefix) {
  const std::string before = part_.stored(prefix);
  for (const SafeTensor& tensor : from_.tensors()) {
    if (tensor.name.starts_with(before)) used_.insert(tensor.name);
  }
}

void TensorCopy::check_leftovers() {
  for (const SafeTensor& tensor : from_.tensors()) {
    if (error_) return;
    if (used_.contains(tensor.name) || is_buffer(tensor.name)) continue;
    if (const auto part = part_.other_part(tensor.name); !part.empty()) {
      ++left_out_[std::string(part)];
      continue;
    }
    fail({ErrorCode::kUnsupported,
          sentence("'", from_.path(), "' has a tensor ", internal::quoted(tensor.name),
                   ", which no part of this family uses: the model file would lack it")});
  }
}

}  // namespace partita::internal
