#include "api/convert/convert_tensors.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "weights/sentence.h"

namespace partita::internal {
namespace {

// Of a dimension that the checkpoint decides: limit of the engine (engine/tensor_loader.cc).
constexpr std::uint64_t kMaxSize = std::uint64_t{1} << 20;
constexpr std::uint64_t kMinQuantizedRows = 16;  // quantizing fewer saves nothing

/// Whether a tensor is a buffer, not a weight.
bool is_buffer(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq")                       // angles, given by rope_theta
         || name.ends_with(".input_scale")                            // of activations in FP8
         || name.ends_with(".k_scale") || name.ends_with(".v_scale")  // of a cache in FP8
         || name == "lm_head.version"                                 // of fairseq's AdaptiveSoftmax
         || name.ends_with("embed_tokens._float_tensor");             // of fairseq's AdaptiveInput
}

}  // namespace

TensorCopy::TensorCopy(std::shared_ptr<const SafeTensors> from, bool larger, std::optional<Dtype> type,
                       GgufWriter& to)
    : shared_(std::move(from)), from_(*shared_), part_(from_, larger), type_(type), to_(to) {}

std::unique_ptr<TensorCopy> TensorCopy::sketch(std::set<std::string, std::less<>> known, GgufWriter& to) {
  static constexpr char kEmpty[] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};  // a file without tensors
  auto none = SafeTensors::parse(std::as_bytes(std::span(kEmpty)), "a checkpoint");
  if (!none) throw std::bad_alloc();  // nothing else is wrong with it
  auto copy = std::make_unique<TensorCopy>(std::make_shared<const SafeTensors>(*std::move(none)), false,
                                           std::nullopt, to);
  copy->is_sketch_ = true;
  copy->known_ = std::move(known);
  return copy;
}

Result<const SafeTensor*> TensorCopy::fetch(const std::string& stored, std::span<const std::uint64_t> shape) {
  if (!is_sketch_) return from_.tensor(stored, shape);
  const SafeTensor made{stored, "F32", Dtype::kF32, Fp8::kNone, {shape.begin(), shape.end()}, {}};
  return &sketched_.insert_or_assign(stored, made).first->second;
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

TensorPart TensorCopy::part(const std::string& of_text, std::initializer_list<std::uint64_t> shape) {
  if (error_) return {};
  const std::string name = part_.stored(of_text);
  const auto tensor = fetch(name, {shape.begin(), shape.end()});
  if (!tensor) {
    fail(tensor.error());
    return {};
  }
  used_.insert(name);
  TensorPart part = zeros(1, 1);
  part.from = *tensor;
  if ((*tensor)->fp8 != Fp8::kNone) part.scales = scales_of(**tensor);
  if (shape.size() == 0) return part;
  part.cols = part.row_step = *(shape.end() - 1);
  for (const std::uint64_t dimension : std::span(shape.begin(), shape.size() - 1)) part.rows *= dimension;
  return part;
}

std::shared_ptr<const Fp8Scales> TensorCopy::scales_of(const SafeTensor& tensor) {
  for (const char* end : {"_scale_inv", "_scale"}) {
    const SafeTensor* found = from_.find(tensor.name + end);
    if (found == nullptr) continue;
    used_.insert(found->name);
    auto scales = Fp8Scales::read(from_, tensor, *found);
    if (scales) return *scales;
    fail(scales.error());
  }
  return nullptr;
}

void TensorCopy::write(const std::string& name, Dtype type, std::initializer_list<std::uint64_t> shape,
                       std::vector<TensorPart> parts) {
  if (error_) return;
  for (const TensorPart& part : parts) parameters_ += part.elements();
  TensorSource source = source_of(shared_, name, type, parts);
  if (merges_ != nullptr)
    source = merged_source(merges_, name, type, *(shape.end() - 1), std::move(source),
                           source_of(shared_, name, Dtype::kF32, parts));
  to_.add_tensor(name, type, std::span(shape.begin(), shape.size()), std::move(source));
  tensors_.push_back({name, shape, std::move(parts)});
}

Dtype TensorCopy::type_for(const std::string& name, bool fits, std::span<const TensorPart> parts) {
  if (!type_) return stored_type(parts);
  if (fits) return *type_;
  if (!error_) in_f16_.push_back(name);
  return Dtype::kF16;
}

void TensorCopy::write_matrix(const std::string& name, std::uint64_t rows, std::uint64_t cols,
                              std::vector<TensorPart> parts) {
  const std::size_t block = type_ ? block_elements(*type_) : 1;
  const Dtype type = type_for(name, block == 1 || (cols % block == 0 && rows >= kMinQuantizedRows), parts);
  write(name, type, {rows, cols}, std::move(parts));
}

void TensorCopy::write_stack(const std::string& name, std::uint64_t count, std::uint64_t rows,
                             std::uint64_t cols, std::vector<TensorPart> parts) {
  const Dtype type = type_for(name, !type_ || cols % block_elements(*type_) == 0, parts);
  write(name, type, {count, rows, cols}, std::move(parts));
}

void TensorCopy::write_f32(const std::string& name, std::initializer_list<std::uint64_t> shape,
                           std::vector<TensorPart> parts) {
  write(name, Dtype::kF32, shape, std::move(parts));
}

void TensorCopy::write_vector(const std::string& name, std::vector<TensorPart> parts) {
  std::uint64_t size = 0;
  for (const TensorPart& part : parts) size += part.elements();
  write_f32(name, {size}, std::move(parts));
}

void TensorCopy::write_numbers(const std::string& name, std::span<const float> values) {
  if (error_) return;
  ++numbers_;
  parameters_ += values.size();
  to_.add_tensor(name, Dtype::kF32, {values.size()}, values);
}

void TensorCopy::matrix(const std::string& from, const std::string& to, std::uint64_t rows,
                        std::uint64_t cols, float scale) {
  write_matrix(to, rows, cols, {part(from, {rows, cols}).scaled(scale)});
}

void TensorCopy::matrix_in_f32(const std::string& from, const std::string& to, std::uint64_t rows,
                               std::uint64_t cols) {
  write_f32(to, {rows, cols}, {part(from, {rows, cols})});
}

void TensorCopy::vector(const std::string& from, const std::string& to, std::uint64_t size) {
  write_vector(to, {part(from, {size})});
}

void TensorCopy::vector_if_there(const std::string& from, const std::string& to, std::uint64_t size) {
  if (has(from)) vector(from, to, size);
}

float TensorCopy::number(const std::string& name) {
  const TensorPart only = rank(name) == 0 ? part(name, {}) : part(name, {1});
  float value = 0;
  if (error_) return value;
  const auto read =
      source_of(shared_, name, Dtype::kF32, {only})(0, std::as_writable_bytes(std::span(&value, 1)));
  if (!read) fail(read.error());
  return value;
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
