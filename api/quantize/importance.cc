#include "api/quantize/importance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "weights/codecs/codec.h"
#include "weights/gguf/gguf.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

Error bad_tensor(const Gguf& file, std::string_view tensor, std::string_view problem) {
  return Error{ErrorCode::kBadFile, sentence("'", file.path(), "': tensor ", quoted(tensor), " ", problem)};
}

Result<std::vector<float>> read_f32(const Gguf& file, const TensorView& tensor) {
  if (tensor.dtype != Dtype::kF32) return bad_tensor(file, tensor.name, "is not F32, as importance is");
  std::vector<std::byte> buffer;
  const auto bytes = file.read(tensor.bytes, buffer);
  if (!bytes) return bytes.error();
  std::vector<float> values(tensor.shape.elements());
  codec(Dtype::kF32).dequantize(bytes->data(), values.size(), values.data());
  const auto bad = [](float value) { return !std::isfinite(value) || value < 0; };
  if (std::any_of(values.begin(), values.end(), bad))
    return bad_tensor(file, tensor.name, "has a value that is negative or not finite");
  return values;
}

/// Scales a matrix's mean squares by the power of two that brings their mean to 1 or a little more: only
/// ratios matter, and products with large weights stay finite.
void scale_to_one(std::span<float> columns) {
  const double mean =
      std::accumulate(columns.begin(), columns.end(), 0.0) / static_cast<double>(columns.size());
  if (mean == 0) return;
  const int exponent = std::ilogb(mean);
  for (float& column : columns)
    column = static_cast<float>(std::ldexp(static_cast<double>(column), -exponent));
}

/// The mean squares of one tensor, scaled. A matrix that no row has reached has 1 everywhere.
Result<std::vector<float>> means(const Gguf& file, std::string_view name, const TensorView& sums) {
  const TensorView* counts = file.find_tensor(sentence(name, kCountsSuffix));
  if (counts == nullptr) return bad_tensor(file, sums.name, "has no counts beside it");
  auto values = read_f32(file, sums);
  if (!values) return values.error();
  const auto count = read_f32(file, *counts);
  if (!count) return count.error();
  const std::size_t columns = sums.shape[sums.shape.size() - 1];
  if (count->size() * columns != values->size())
    return bad_tensor(
        file, counts->name,
        sentence("has ", count->size(), " counts, and its sums ", values->size() / columns, " rows"));
  for (std::size_t i = 0; i < values->size(); ++i) {
    const float rows = (*count)[i / columns];
    (*values)[i] = rows > 0 ? (*values)[i] / rows : 1;
    if (!std::isfinite((*values)[i])) {
      return bad_tensor(file, sums.name,
                        sentence("has a sum that divided by the count of ",
                                 rounded_text(static_cast<double>(rows)), " is beyond the range of floats"));
    }
  }
  for (std::size_t i = 0; i < values->size(); i += columns)
    scale_to_one(std::span(*values).subspan(i, columns));
  return values;
}

}  // namespace

Result<Importance> Importance::open(const std::string& path) {
  const auto file = Gguf::open(path);
  if (!file) return file.error();
  const auto type = file->get_string("general.type");
  if (!type || *type != kImportanceType) {
    return Error{ErrorCode::kBadFile, sentence("'", file->path(),
                                               "' holds no importance: its general.type is not \"imatrix\"; "
                                               "partita imatrix makes such a file")};
  }
  Importance all;
  all.path = path;
  const auto chunks = file->get_uint(kChunkCountKey, 0);
  if (!chunks) return chunks.error();
  if (*chunks > std::numeric_limits<std::uint32_t>::max()) {
    return Error{ErrorCode::kBadFile,
                 sentence("'", file->path(), "': ", kChunkCountKey, " is ", *chunks, ", and the limit is ",
                          std::numeric_limits<std::uint32_t>::max())};
  }
  all.chunks = static_cast<std::uint32_t>(*chunks);
  if (const auto datasets = file->get_array(kDatasetsKey); datasets && (*datasets)->size() > 0)
    all.dataset = (*datasets)->string_at(0).value_or("");
  for (const TensorView& tensor : file->tensors()) {
    if (!tensor.name.ends_with(kSumsSuffix)) continue;
    const std::string name(tensor.name.substr(0, tensor.name.size() - kSumsSuffix.size()));
    auto values = means(*file, name, tensor);
    if (!values) return values.error();
    all.columns.emplace(name, *std::move(values));
  }
  return all;
}

Result<void> Importance::check_model(const Gguf& model) const {
  const auto known = [&](const auto& entry) { return model.has_tensor(entry.first); };
  if (std::any_of(columns.begin(), columns.end(), known)) return {};
  return Error{ErrorCode::kBadFile, sentence("'", printable(path), "' has no tensor of '", model.path(),
                                             "': it is the importance of another model")};
}

Result<std::span<const float>> Importance::of(const TensorView& tensor) const {
  const auto found = columns.find(tensor.name);
  if (found == columns.end()) return std::span<const float>{};
  const Shape& shape = tensor.shape;
  const std::uint64_t rows = shape.size() > 1 ? shape[shape.size() - 2] : 1;
  const std::uint64_t expected = shape.elements() / rows;
  if (found->second.size() == expected) return std::span<const float>(found->second);
  return Error{ErrorCode::kBadFile,
               sentence("'", printable(path), "' has ", found->second.size(), " columns for tensor ",
                        quoted(tensor.name), ", which has ", expected, ": it is of another model")};
}

}  // namespace partita::internal
