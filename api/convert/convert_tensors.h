// Copies the tensors of a checkpoint into a model file, with new names and types. Internal to api/.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "api/adapters/merges.h"
#include "api/convert/tensor_map.h"
#include "api/convert/tensor_part.h"
#include "api/convert/text_part.h"
#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/gguf/writer.h"
#include "weights/safetensors/safetensors.h"

namespace partita::internal {

/// Lists the tensors that a model file takes from a checkpoint's text model; nothing of them is read but what
/// metadata need. It keeps the first error; later calls do nothing and return nothing, so callers list the
/// tensors of a model and check error() once.
class TensorCopy {
 public:
  /// larger: it may have parts that see or hear. `type`: of the matrices that can have it; the others are
  /// f16; none: as they are stored. `to` must outlive it.
  TensorCopy(std::shared_ptr<const SafeTensors> from, bool larger, std::optional<Dtype> type, GgufWriter& to);

  /// Of a checkpoint that is not there: part() makes a tensor of the shape that it is asked for, and has()
  /// knows those and `known`. Nothing can be read.
  static std::unique_ptr<TensorCopy> sketch(std::set<std::string, std::less<>> known, GgufWriter& to);

  /// Adapters that are merged into the tensors when they are read.
  void merge(std::shared_ptr<const Merges> merges) { merges_ = std::move(merges); }

  bool has(const std::string& name) const { return find(name) != nullptr || known_.contains(name); }

  /// Whether both tensors exist and have the same shape, type and numbers.
  bool same(const std::string& one, const std::string& other);

  /// How many dimensions a tensor has; 0: there is none.
  std::size_t rank(const std::string& name) const {
    const SafeTensor* tensor = find(name);
    return tensor == nullptr ? 0 : tensor->shape.size();
  }

  /// The rows or columns of a matrix whose size the checkpoint decides; 0 after an error.
  std::uint64_t rows(const std::string& name) { return size_of(name, 0); }
  std::uint64_t cols(const std::string& name) { return size_of(name, 1); }

  /// A tensor that must have this shape, [all dimensions but the last][the last]; of no use after an error.
  TensorPart part(const std::string& name, std::initializer_list<std::uint64_t> shape);

  // Parts follow one another.
  void write_matrix(const std::string& name, std::uint64_t rows, std::uint64_t cols,
                    std::vector<TensorPart> parts);
  void write_f32(const std::string& name, std::initializer_list<std::uint64_t> shape,
                 std::vector<TensorPart> parts);
  void write_vector(const std::string& name, std::vector<TensorPart> parts);
  /// [count][rows][cols], of the type of matrices.
  void write_stack(const std::string& name, std::uint64_t count, std::uint64_t rows, std::uint64_t cols,
                   std::vector<TensorPart> parts);
  /// A vector that no tensor has.
  void write_numbers(const std::string& name, std::span<const float> values);

  // Copies tensor `from` of the checkpoint to `to`.
  void matrix(const std::string& from, const std::string& to, std::uint64_t rows, std::uint64_t cols,
              float scale = 1);
  void matrix_in_f32(const std::string& from, const std::string& to, std::uint64_t rows, std::uint64_t cols);
  void vector(const std::string& from, const std::string& to, std::uint64_t size);
  void vector_if_there(const std::string& from, const std::string& to, std::uint64_t size);

  /// The one number of a tensor.
  float number(const std::string& name);
  /// Metadata that the tensors decide.
  void write_key(const std::string& name, const std::vector<float>& values) { to_.add(name, values); }

  /// Tensors that need not be copied: all whose names begin with `prefix`.
  void skip_all(std::string_view prefix);
  /// A tensor that need not be copied.
  void skip(const std::string& name) { used_.insert(part_.stored(name)); }

  void fail(Error error);
  const std::optional<Error>& error() const { return error_; }

  /// Fails if the checkpoint has a weight that was neither copied nor skipped: the model would silently lack
  /// it.
  void check_leftovers();

  std::size_t tensors() const { return tensors_.size() + numbers_; }
  /// What was written, but for write_numbers(). Its parts refer to the checkpoint.
  std::vector<WrittenTensor> take_written() { return std::move(tensors_); }
  std::uint64_t parameters() const { return parameters_; }
  const std::vector<std::string>& in_f16() const { return in_f16_; }
  const std::map<std::string, std::size_t>& left_out() const { return left_out_; }

 private:
  const SafeTensor* find(std::string_view name) const {
    const std::string stored = part_.stored(name);
    const auto sketched = sketched_.find(stored);
    return sketched != sketched_.end() ? &sketched->second : from_.find(stored);
  }
  Result<const SafeTensor*> fetch(const std::string& stored, std::span<const std::uint64_t> shape);
  std::uint64_t size_of(const std::string& name, std::size_t dimension);
  std::shared_ptr<const Fp8Scales> scales_of(const SafeTensor& tensor);
  Dtype type_for(const std::string& name, bool fits, std::span<const TensorPart> parts);
  void write(const std::string& name, Dtype type, std::initializer_list<std::uint64_t> shape,
             std::vector<TensorPart> parts);

  const std::shared_ptr<const SafeTensors> shared_;
  const SafeTensors& from_;
  const TextPart part_;
  const std::optional<Dtype> type_;
  GgufWriter& to_;
  std::optional<Error> error_;
  std::set<std::string> used_;
  std::uint64_t parameters_ = 0;
  std::vector<WrittenTensor> tensors_;
  std::shared_ptr<const Merges> merges_;
  std::size_t numbers_ = 0;  // tensors of write_numbers()
  bool is_sketch_ = false;
  std::set<std::string, std::less<>> known_;                 // of a sketch
  std::map<std::string, SafeTensor, std::less<>> sketched_;  // likewise
  std::vector<std::string> in_f16_;
  std::map<std::string, std::size_t> left_out_;
};

}  // namespace partita::internal
