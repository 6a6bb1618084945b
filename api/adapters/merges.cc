#include "api/adapters/merges.h"

#include <memory>
#include <span>
#include <utility>

#include "api/convert/tensor_part.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::string_view kEmbedding = "token_embd.weight", kOutput = "output.weight";

/// y += factor * x, of n floats.
void add_scaled(float factor, const float* x, std::size_t n, float* y) {
  for (std::size_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

}  // namespace

Result<void> Merges::add(AdapterTensors tensors, float scale,
                         const std::map<std::string, std::vector<std::uint64_t>>& shapes) {
  for (AdapterPair& pair : tensors.pairs) {
    TRY(check_pair(tensors, pair));
    const auto bad = [&](ErrorCode code, const auto&... what) {
      return Error{code, sentence("the adapter '", printable(tensors.path), "' changes ",
                                  internal::quoted(pair.tensor), what...)};
    };
    const auto found = shapes.find(pair.tensor);
    const bool tied = !shapes.contains(std::string(kOutput));
    if (tied && (pair.tensor == kEmbedding || pair.tensor == kOutput))
      return bad(
          ErrorCode::kUnsupported,
          ", and the embedding of this model is its output too, so that one cannot be changed without the "
          "other: apply the adapter with --lora where the model is used");
    if (found == shapes.end())
      return bad(ErrorCode::kUnsupported, ", which the model file lacks: it is an adapter of another model");
    std::vector<std::uint64_t> own = {pair.rows, pair.cols};
    if (found->second.size() == 3) own.insert(own.begin(), pair.count);
    if (own != found->second || (own.size() == 2 && pair.count != 1))
      return bad(ErrorCode::kBadFile, " in the shape ", shape_text(own), ", and the model has ",
                 shape_text(found->second), ": it is an adapter of another model");
    const float of_product = scale * pair.scale;
    const std::string name = pair.tensor;
    changes_[name].push_back({std::move(pair), of_product});
  }
  return {};
}

void Merges::apply(const std::string& tensor, std::size_t first, std::size_t rows, std::size_t cols,
                   float* values) const {
  for (const Change& change : changes_.at(tensor)) {
    const AdapterPair& pair = change.pair;
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t row = first + i;
      float* const to = values + i * cols;
      if (tensor == kEmbedding) {
        const float* const a = pair.a.data() + row * pair.rank;
        for (std::size_t c = 0; c < cols; ++c) {
          float sum = 0;
          for (std::size_t k = 0; k < pair.rank; ++k) sum += pair.b[c * pair.rank + k] * a[k];
          to[c] += change.scale * sum;
        }
        continue;
      }
      const float* const a = pair.a.data() + row / pair.rows * pair.rank * cols;
      for (std::size_t k = 0; k < pair.rank; ++k)
        add_scaled(change.scale * pair.b[row * pair.rank + k], a + k * cols, cols, to);
    }
  }
}

TensorSource merged_source(std::shared_ptr<const Merges> merges, std::string name, Dtype type,
                           std::size_t cols, TensorSource plain, TensorSource in_f32) {
  return [=, merges = std::move(merges), name = std::move(name), plain = std::move(plain),
          in_f32 = std::move(in_f32)](std::uint64_t first, std::span<std::byte> rows) -> Result<void> {
    if (!merges->changes(name)) return plain(first, rows);
    const std::size_t row_bytes = cols / block_elements(type) * block_bytes(type);
    const auto begin = static_cast<std::size_t>(first) / row_bytes;
    std::vector<float> values(rows.size() / row_bytes * cols);
    TRY(in_f32(begin * cols * sizeof(float), std::as_writable_bytes(std::span(values))));
    merges->apply(name, begin, values.size() / cols, cols, values.data());
    return encode_values(name, type, values, rows.data());
  };
}

}  // namespace partita::internal
