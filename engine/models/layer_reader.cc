#include "engine/models/layer_reader.h"

#include "weights/try.h"

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace partita::internal {
namespace {

/// Row first + i + b * n / 2 (b = 0, 1) of a head, n rows of which are rotated from `first` on, is in packed
/// halves row first + 2 i + b of adjacent pairs.
std::vector<std::uint32_t> rows_of_adjacent_pairs(std::size_t rows, std::uint32_t head, std::uint32_t rotated,
                                                  std::uint32_t first = 0) {
  std::vector<std::uint32_t> map(rows);
  const std::uint32_t half = rotated / 2;
  for (std::uint32_t r = 0; r < rows; ++r) {
    const std::uint32_t i = r % head - first;  // beyond all rows if r is before the first
    map[r] = i < rotated ? r - i + 2 * (i % half) + i / half : r;
  }
  return map;
}

/// The rows of every other block.
std::vector<std::uint32_t> rows_of_alternate_blocks(std::size_t rows, std::size_t block) {
  std::vector<std::uint32_t> map(rows);
  for (std::size_t r = 0; r < rows; ++r) map[r] = static_cast<std::uint32_t>(r + r / block * block);
  return map;
}

/// The lengths of a shape that are not 1.
std::vector<std::uint64_t> without_ones(std::span<const std::uint64_t> shape) {
  std::vector<std::uint64_t> lengths(shape.begin(), shape.end());
  std::erase(lengths, std::uint64_t{1});
  return lengths;
}

}  // namespace

Vector LayerReader::optional_vector(std::string_view tensor, std::size_t size) {
  Vector out;
  const std::string name = prefix_ + std::string(tensor);
  const TensorView* found = tensors_.file().find_tensor(name);
  if (error_ || found == nullptr) return out;
  const std::uint64_t shape[] = {1, size};
  const auto read = tensors_.values(name, std::span(shape).subspan(found->shape.size() == 2 ? 0 : 1), out);
  if (!read) error_ = read.error();
  return out;
}

Norm LayerReader::norm(std::string_view name, std::size_t size, NormKind kind) {
  Norm norm{.eps = config_.norm_eps, .kind = kind};
  if (error_) return norm;
  if (auto read = read_norm(tensors_, prefix_ + std::string(name), size, norm); !read) error_ = read.error();
  return norm;
}

Norm LayerReader::head_norms(std::string_view name, std::size_t heads, RopePairs pairs) {
  const std::size_t size = heads * config_.head_dim;
  Norm norm{.eps = config_.norm_eps, .kind = config_.norm, .groups = static_cast<std::uint32_t>(heads)};
  norm.name = prefix_ + std::string(name);
  if (error_) return norm;
  Vector in_file;
  const std::uint64_t shape[] = {heads, config_.head_dim};
  if (auto read = tensors_.values(prefix_ + std::string(name) + ".weight", shape, in_file); !read) {
    error_ = read.error();
    return norm;
  }
  norm.weight = in_file;
  if (pairs != RopePairs::kAdjacent) return norm;
  const auto map = rows_of_adjacent_pairs(size, config_.head_dim, config_.rope_dims);
  for (std::size_t i = 0; i < size; ++i) norm.weight[i] = in_file[map[i]];
  return norm;
}

bool LayerReader::has(std::string_view name) const {
  return tensors_.file().has_tensor(prefix_ + std::string(name) + ".weight");
}

bool LayerReader::has(std::string_view name, std::size_t rows) const {
  const TensorView* tensor = tensors_.file().find_tensor(prefix_ + std::string(name) + ".weight");
  return tensor != nullptr && tensor->shape.size() > 0 && tensor->shape[0] == rows;
}

std::size_t LayerReader::rows(std::string_view name) {
  if (error_) return 0;
  const auto sizes = tensors_.sizes(prefix_ + std::string(name) + ".weight");
  if (!sizes) error_ = sizes.error();
  return sizes ? sizes->rows : 0;
}

Vector LayerReader::values(std::string_view name, std::initializer_list<std::uint64_t> shape) {
  Vector all;
  if (error_) return all;
  const std::string full_name = prefix_ + std::string(name);
  std::vector<std::uint64_t> in_file(shape);
  const TensorView* tensor = tensors_.file().find_tensor(full_name);
  if (tensor != nullptr && without_ones(tensor->shape) == without_ones(in_file))
    in_file.assign(tensor->shape.begin(), tensor->shape.end());
  if (auto read = tensors_.values(full_name, in_file, all); !read) error_ = read.error();
  return all;
}

CausalConv LayerReader::conv(std::string_view name, std::uint32_t taps, std::uint32_t columns) {
  CausalConv conv{taps, columns, {}, {}};
  const Vector in_file = values(std::string(name) + ".weight", {columns, taps});
  const std::string bias = std::string(name) + ".bias";
  if (tensors_.file().has_tensor(prefix_ + bias)) conv.bias = values(bias, {columns});
  if (error_) return conv;
  conv.weight.resize(in_file.size());
  for (std::size_t c = 0; c < columns; ++c) {
    for (std::size_t j = 0; j < taps; ++j) conv.weight[j * columns + c] = in_file[c * taps + j];
  }
  return conv;
}

void LayerReader::linears(std::initializer_list<Part> parts) {
  if (error_) return;
  if (auto done = read(parts); !done) error_ = done.error();
}

void LayerReader::experts(const Stack& stack, std::span<Ffn> experts) {
  if (error_) return;
  if (auto done = read_stack(stack, experts); !done) error_ = done.error();
}

Result<void> LayerReader::read_stack(const Stack& stack, std::span<Ffn> experts) {
  std::vector<Linear*> parts;
  for (Ffn& expert : experts) {
    parts.push_back(&(expert.*stack.to));
    if (stack.second != nullptr) parts.push_back(&(expert.*stack.second));
  }
  return tensors_.stack(prefix_ + std::string(stack.name), stack.rows, stack.cols, parts,
                        stack.second != nullptr ? 2 : 1);
}

void LayerReader::stack(std::string_view name, std::size_t rows, std::size_t cols, std::span<Linear> heads) {
  if (error_) return;
  std::vector<Linear*> parts;
  for (Linear& head : heads) parts.push_back(&head);
  if (auto done = tensors_.stack(prefix_ + std::string(name), rows, cols, parts); !done)
    error_ = done.error();
  for (Linear& head : heads) head.index = Linear::kFixed;  // multiplied apart from all others (mla.cc)
}

void LayerReader::transposed(const Part& part) {
  if (error_) return;
  const MatrixSource source{prefix_ + std::string(part.name) + ".weight", part.rows, part.cols, part.first,
                            part.of};
  if (auto done = tensors_.transposed(source, part.to->weight); !done) error_ = done.error();
}

Result<void> LayerReader::read(std::initializer_list<Part> parts) {
  std::vector<Packing> list;
  std::size_t unit = kPanelRows;  // whole heads, whose rows a map mixes
  for (const Part& part : parts) {
    MatrixSource source{prefix_ + std::string(part.name), part.rows, part.cols, part.first, part.of};
    const auto head = static_cast<std::uint32_t>(part.head > 0 ? part.head : config_.head_dim);
    const std::uint32_t rotated = config_.rope_dims;
    unit = std::lcm(unit, head);
    if (part.pairs == RopePairs::kAdjacent) source.map = rows_of_adjacent_pairs(part.rows, head, rotated);
    if (part.pairs == RopePairs::kAdjacentInHead) source.map = rows_of_adjacent_pairs(part.rows, head, head);
    if (part.pairs == RopePairs::kLastAdjacent)
      source.map = rows_of_adjacent_pairs(part.rows, head, rotated, head - rotated);
    if (part.block > 0) source.map = rows_of_alternate_blocks(part.rows, part.block);
    auto packing = tensors_.prepare_linear(std::move(source), *part.to);
    if (!packing) return packing.error();
    list.push_back(*std::move(packing));
  }
  return tensors_.pack(list, unit / kPanelRows);
}

}  // namespace partita::internal
