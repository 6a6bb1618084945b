#include "engine/embedding.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/vocabulary_order.h"
#include "weights/codecs/codec.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::string_view kCutoffs = "partita.embedding.cutoffs";

std::string band_name(std::size_t i) { return "token_embd." + std::to_string(i); }

Result<void> load_band(TensorLoader& tensors, std::size_t i, std::size_t words, std::size_t hidden,
                       Band& band) {
  const std::string rows = band_name(i) + ".weight", projection = band_name(i) + ".proj.weight";
  auto sizes = tensors.sizes(rows);
  if (!sizes) return sizes.error();
  const std::size_t width = sizes->cols;
  if (width > hidden) {
    return Error{ErrorCode::kBadFile, "'" + tensors.file().path() + "': " + rows + " has " +
                                          std::to_string(width) + " columns, and the hidden size is " +
                                          std::to_string(hidden)};
  }
  TRY(tensors.matrix(rows, words, width, band.rows));
  if (width == hidden && !tensors.file().has_tensor(projection)) return {};

  PackedMatrix matrix;  // small: its panels stay in the arena, its values are stored transposed
  TRY(tensors.matrix(projection, hidden, width, matrix));
  band.projection.resize(width * hidden);
  for (std::size_t h = 0; h < hidden; ++h) unpack_row(matrix, h, band.projection.data() + h, hidden);
  return {};
}

}  // namespace

void Embedding::row(std::uint32_t token, float* out, float* spare) const {
  const std::size_t rank = rank_of.empty() ? token : rank_of[token];
  const auto after =
      std::find_if(bands.begin() + 1, bands.end(), [&](const Band& b) { return b.begin > rank; });
  const Band& band = *(after - 1);
  if (band.projection.empty()) return unpack_row(band.rows, rank - band.begin, out);
  unpack_row(band.rows, rank - band.begin, spare);
  std::fill_n(out, hidden_size, 0.0F);
  for (std::size_t c = 0; c < band.rows.cols; ++c) {
    const float* const p = band.projection.data() + c * hidden_size;
    for (std::size_t h = 0; h < hidden_size; ++h) out[h] += spare[c] * p[h];
  }
}

std::size_t Embedding::bytes_per_row() const {
  std::size_t most = 0;
  for (const Band& band : bands) {
    most = std::max(most, band.rows.panel_bytes() / kPanelRows + band.projection.size() * sizeof(float));
  }
  return most;
}

Result<void> load_embedding(TensorLoader& tensors, std::size_t vocab, std::size_t hidden, Embedding& out) {
  out.hidden_size = hidden;
  if (tensors.file().find(kCutoffs) == nullptr) {
    return tensors.matrix("token_embd.weight", vocab, hidden, out.bands.emplace_back().rows);
  }
  auto ends = read_cutoffs(tensors.file(), kCutoffs, vocab, 1);
  if (!ends) return ends.error();
  auto order = read_order(tensors.file(), vocab);
  if (!order) return order.error();
  out.rank_of = std::move(order->rank_of);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < ends->size(); ++i) {
    Band& band = out.bands.emplace_back();
    band.begin = begin;
    TRY(load_band(tensors, i, (*ends)[i] - begin, hidden, band));
    begin = (*ends)[i];
  }
  return {};
}

Result<std::uint64_t> count_words(const Gguf& file, std::uint32_t hidden_size) {
  if (file.find(kCutoffs) == nullptr) {
    const TensorView* table = file.find_tensor("token_embd.weight");
    const std::uint64_t rows = table != nullptr && table->shape.size() == 2 ? table->shape[0] : 1;
    auto checked = file.tensor("token_embd.weight", {rows, hidden_size});
    if (!checked) return checked.error();
    return rows;
  }
  std::uint64_t words = 0;
  for (std::size_t i = 0;; ++i) {
    const TensorView* band = file.find_tensor(band_name(i) + ".weight");
    if (band == nullptr || band->shape.size() != 2) break;
    words += band->shape[0];
  }
  return words;
}

}  // namespace partita::internal
