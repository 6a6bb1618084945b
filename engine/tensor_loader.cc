#include "engine/tensor_loader.h"

#include <algorithm>
#include <utility>

#include "engine/kernels/parallel.h"
#include "weights/catch_all.h"
#include "weights/codecs/codec.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// Bytes packed between two progress reports.
constexpr std::size_t kSliceBytes = std::size_t{8} << 20;

/// Bytes that a thread reads before it packs them: they stay in its cache. Only this much is in memory twice,
/// as file and as panels.
constexpr std::size_t kReadBytes = std::size_t{256} << 10;

constexpr std::size_t kMaxCols = std::size_t{1} << 20;

}  // namespace

std::size_t count_panel_bytes(const Gguf& file) {
  std::size_t bytes = 0;
  for (const TensorView& tensor : file.tensors()) {
    if (tensor.shape.size() < 2) continue;
    const bool stacked = tensor.shape.size() == 3;
    const std::size_t slices = stacked ? tensor.shape[0] : 1, rows = tensor.shape[stacked ? 1 : 0];
    if (auto panels = panels_for(tensor.dtype, rows, tensor.shape[stacked ? 2 : 1]))
      bytes += slices * panels->bytes();
  }
  return bytes;
}

TensorLoader::TensorLoader(const Gguf& file, PanelArena& arena, int threads,
                           std::function<bool(float)> progress, bool shapes_only)
    : file_(file),
      arena_(arena),
      threads_(std::max(threads, 1)),
      progress_(std::move(progress)),
      shapes_only_(shapes_only),
      buffers_(static_cast<std::size_t>(threads_)) {
  for (const TensorView& tensor : file.tensors()) total_ += tensor.bytes.size();
}

Result<MatrixSizes> TensorLoader::sizes(const std::string& name) const {
  const TensorView* tensor = file_.find_tensor(name);
  const bool is_matrix = tensor != nullptr && tensor->shape.size() == 2;
  if (is_matrix && tensor->shape[1] <= kMaxCols) return MatrixSizes{tensor->shape[0], tensor->shape[1]};
  if (!is_matrix) return file_.tensor(name, {1, 1}).error();  // the tensor is missing, or its shape is wrong
  return Error{ErrorCode::kBadFile, "'" + file_.path() + "': " + name + " has " +
                                        std::to_string(tensor->shape[1]) + " columns, and the limit is " +
                                        std::to_string(kMaxCols)};
}

Result<TensorView> TensorLoader::fetch(const std::string& name, std::span<const std::uint64_t> shape,
                                       std::optional<std::size_t> rows) {
  auto tensor = file_.tensor(name, shape);
  if (tensor) used_rows_[tensor->name] += rows.value_or(shape.front());
  return tensor;
}

bool TensorLoader::used(const TensorView& tensor) const {
  const auto found = used_rows_.find(tensor.name);
  return found != used_rows_.end() && (tensor.shape.size() == 0 || found->second >= tensor.shape[0]);
}

Result<void> TensorLoader::vector(const std::string& name, std::size_t size, Vector& out) {
  const std::uint64_t shape[] = {size};
  return values(name, shape, out);
}

/// Norms and biases are F32 in every known file; other types cost nothing to read.
Result<void> TensorLoader::values(const std::string& name, std::span<const std::uint64_t> shape,
                                  Vector& out) {
  auto tensor = fetch(name, shape);
  if (!tensor) return tensor.error();
  const auto bytes = file_.read(tensor->bytes, buffers_.front());
  if (!bytes) return bytes.error();
  std::size_t size = 1;
  for (const std::uint64_t length : shape) size *= length;
  out.resize(size);
  codec(tensor->dtype).dequantize(bytes->data(), size, out.data());
  return report(tensor->bytes.size());
}

Result<void> TensorLoader::matrix(const std::string& name, std::size_t rows, std::size_t cols,
                                  PackedMatrix& out) {
  auto packing = prepare({name, rows, cols}, out);
  if (!packing) return packing.error();
  return pack({&*packing, 1});
}

Result<void> TensorLoader::linear(const std::string& name, std::size_t rows, std::size_t cols, Linear& out) {
  auto packing = prepare_linear({name, rows, cols}, out);
  if (!packing) return packing.error();
  return pack({&*packing, 1});
}

Result<void> TensorLoader::stack(const std::string& name, std::size_t rows, std::size_t cols,
                                 std::span<Linear* const> out, std::size_t parts) {
  const std::uint64_t shape[] = {out.size() / parts, parts * rows, cols};
  auto tensor = fetch(name + ".weight", shape);
  if (!tensor) return tensor.error();
  std::vector<Packing> list;
  const std::size_t slice = tensor->bytes.size() / out.size();
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto matrix = allocate_panels(tensor->dtype, rows, cols, arena_);
    if (!matrix) return matrix.error();
    out[i]->weight = *std::move(matrix);
    out[i]->name = name;
    out[i]->source = {i / parts, i % parts * rows, parts * rows, {}};
    number(*out[i]);
    list.push_back({&out[i]->weight, tensor->bytes.subspan(i * slice, slice), {}, slice / rows});
  }
  if (file_.has_tensor(name + ".bias")) {
    const std::uint64_t bias_shape[] = {out.size() / parts, parts * rows};
    auto bias = fetch(name + ".bias", bias_shape);
    if (!bias) return bias.error();
    const auto bytes = file_.read(bias->bytes, buffers_.front());
    if (!bytes) return bytes.error();
    Vector all(out.size() * rows);
    codec(bias->dtype).dequantize(bytes->data(), all.size(), all.data());
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * rows);
      out[i]->bias.assign(begin, begin + static_cast<std::ptrdiff_t>(rows));
    }
    TRY(report(bias->bytes.size()));
  }
  return pack(list);
}

Result<void> TensorLoader::bias(const MatrixSource& source, Vector& out) {
  const std::uint64_t shape[] = {source.tensor_rows()};
  auto tensor = fetch(source.name, shape, source.rows);
  if (!tensor) return tensor.error();
  const auto bytes = file_.read(tensor->bytes, buffers_.front());
  if (!bytes) return bytes.error();
  Vector all(source.tensor_rows());
  codec(tensor->dtype).dequantize(bytes->data(), all.size(), all.data());
  out.resize(source.rows);
  for (std::size_t r = 0; r < source.rows; ++r)
    out[r] = all[source.first + (source.map.empty() ? r : source.map[r])];
  return report(tensor->bytes.size() / source.tensor_rows() * source.rows);
}

Result<Packing> TensorLoader::prepare_linear(MatrixSource source, Linear& out) {
  const std::string name = std::move(source.name);
  out.name = name;
  out.source = {0, source.first, source.tensor_rows(), source.map};
  number(out);
  source.name = name + ".bias";
  if (file_.has_tensor(source.name)) {
    TRY(bias(source, out.bias));
  }
  source.name = name + ".weight";
  return prepare(source, out.weight);
}

Result<Packing> TensorLoader::prepare(const MatrixSource& source, PackedMatrix& out) {
  const std::uint64_t shape[] = {source.tensor_rows(), source.cols};
  auto tensor = fetch(source.name, shape, source.rows);
  if (!tensor) return tensor.error();
  auto matrix = allocate_panels(tensor->dtype, source.rows, source.cols, arena_);
  if (!matrix) return matrix.error();
  out = *std::move(matrix);
  const std::size_t row_bytes = tensor->bytes.size() / source.tensor_rows();
  const auto from_first = tensor->bytes.subspan(source.first * row_bytes);
  return Packing{&out, source.map.empty() ? from_first.first(source.rows * row_bytes) : from_first,
                 source.map, row_bytes};
}

void TensorLoader::skip(const std::string& name) {
  const TensorView* tensor = file_.find_tensor(name);
  if (tensor == nullptr || tensor->shape.size() == 0) return;
  used_rows_[tensor->name] = tensor->shape[0];
  done_ += tensor->bytes.size();
}

Result<void> TensorLoader::transposed(const MatrixSource& source, PackedMatrix& out) {
  const std::uint64_t shape[] = {source.tensor_rows(), source.cols};
  auto tensor = fetch(source.name, shape, source.rows);
  if (!tensor) return tensor.error();
  const Dtype type = block_elements(tensor->dtype) == 1 ? tensor->dtype : Dtype::kF32;
  auto matrix = allocate_panels(type, source.cols, source.rows, arena_);
  if (!matrix) return matrix.error();
  out = *matrix;
  if (shapes_only_) return {};
  const std::size_t row_bytes = tensor->bytes.size() / source.tensor_rows(), bytes = source.rows * row_bytes;
  const auto in_file = file_.read(tensor->bytes.subspan(source.first * row_bytes, bytes), buffers_.front());
  if (!in_file) return in_file.error();
  const std::size_t size = source.rows * source.cols;
  std::vector<float> values(size), columns(size);
  codec(tensor->dtype).dequantize(in_file->data(), size, values.data());
  for (std::size_t r = 0; r < source.rows; ++r) {
    for (std::size_t c = 0; c < source.cols; ++c) columns[c * source.rows + r] = values[r * source.cols + c];
  }
  std::vector<std::byte> encoded(size * block_bytes(type));
  codec(type).quantize(columns.data(), size, encoded.data());
  pack_panels(out, {encoded, 0}, {}, 0, out.panels());
  return report(bytes);
}

/// Panels [first, last) of a list of matrices or of one matrix, in units of panels whose rows a map may mix.
struct TensorLoader::Slice {
  std::size_t first, last, unit;
};

namespace {

/// Panels that must be read together.
std::size_t unit_of(const Packing& p, std::size_t unit) { return p.map.empty() ? 1 : unit; }

/// Panels that are packed from one read: a multiple of a unit.
std::size_t panels_to_read(const Packing& p, std::size_t unit) {
  return (kReadBytes / (unit * kPanelRows * p.row_bytes) + 1) * unit;
}

/// Bytes of one read, which begins and ends with a unit.
std::size_t bytes_to_read(const Packing& p, std::size_t unit) {
  return std::min((panels_to_read(p, unit) + unit) * kPanelRows * p.row_bytes, p.bytes.size());
}

/// The rows of the file, [first, last), that hold those of panels [from, to).
std::pair<std::size_t, std::size_t> source_rows(const Packing& p, std::size_t from, std::size_t to) {
  const std::size_t first = from * kPanelRows, last = std::min(to * kPanelRows, p.matrix->rows);
  if (p.map.empty()) return {first, last};
  const auto rows = std::span(p.map).subspan(first, last - first);
  const auto [least, most] = std::minmax_element(rows.begin(), rows.end());
  return {*least, std::size_t{*most} + 1};
}

}  // namespace

/// Packs panels of one matrix.
Result<void> TensorLoader::pack_part(const Packing& p, const Slice& slice,
                                     std::vector<std::byte>& buffer) const {
  const std::size_t unit = unit_of(p, slice.unit);
  const std::size_t step = panels_to_read(p, unit);
  for (std::size_t from = slice.first; from < slice.last; from += step) {
    const std::size_t to = std::min(from + step, slice.last);
    const auto [first_row, end] = source_rows(p, from, to);
    const std::size_t rows = end - first_row;
    const auto bytes = file_.read(p.bytes.subspan(first_row * p.row_bytes, rows * p.row_bytes), buffer);
    if (!bytes) return bytes.error();
    pack_panels(*p.matrix, {*bytes, first_row}, p.map, from, to);
  }
  return {};
}

/// Packs a slice of the list. Returns the bytes read.
Result<std::size_t> TensorLoader::pack_slice(std::span<const Packing> list, const Slice& slice,
                                             std::vector<std::byte>& buffer) const {
  std::size_t bytes = 0, begin = 0;  // begin: first panel of the matrix in the list
  for (const Packing& p : list) {
    const std::size_t end = begin + p.matrix->panels();
    const std::size_t from = std::clamp(slice.first, begin, end) - begin,
                      to = std::clamp(slice.last, begin, end) - begin;
    begin = end;
    if (from == to) continue;
    if (auto packed = pack_part(p, {from, to, slice.unit}, buffer); !packed) return packed.error();
    const std::size_t rows = std::min(to * kPanelRows, p.matrix->rows) - from * kPanelRows;
    bytes += rows * p.row_bytes;
  }
  return bytes;
}

Result<void> TensorLoader::pack(std::span<const Packing> list, std::size_t unit) {
  if (shapes_only_) return {};
  std::size_t panels = 0, buffer_bytes = 0;
  for (const Packing& p : list) {
    panels += p.matrix->panels();
    buffer_bytes = std::max(buffer_bytes, bytes_to_read(p, unit_of(p, unit)));
  }
  for (auto& buffer : buffers_) buffer.resize(std::max(buffer.size(), buffer_bytes));
  const int threads = threads_;
  const std::size_t share_bytes = kSliceBytes / static_cast<std::size_t>(threads);
  const std::size_t slice = (share_bytes / list.front().matrix->panel_bytes() / unit + 1) * unit;
  const std::size_t rounds = panels / static_cast<std::size_t>(threads) / slice + 1;  // for the largest share
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<Result<std::size_t>> done(static_cast<std::size_t>(threads), std::size_t{0});  // bytes
    parallel(threads, [&](const Worker& worker) {
      // All shares are packed, even if the team has fewer members than there are shares.
      for (int member = worker.index; member < threads; member += worker.count) {
        const auto [own, end] = Worker{member, threads}.share(panels);
        const std::size_t first = std::min(own + round * slice, end);
        const Slice own_slice{first, std::min(first + slice, end), unit};
        const auto place = static_cast<std::size_t>(member);
        done[place] = catch_all([&] { return pack_slice(list, own_slice, buffers_[place]); });
      }
    });
    std::size_t bytes = 0;
    for (const auto& share : done) {
      if (!share) return share.error();
      bytes += *share;
    }
    TRY(report(bytes));
  }
  return {};
}

Result<void> TensorLoader::report(std::size_t bytes) {
  done_ += bytes;
  if (!progress_) return {};
  if (progress_(static_cast<float>(static_cast<double>(done_) / static_cast<double>(total_)))) return {};
  return Error{ErrorCode::kCancelled, "loading '" + file_.path() + "' was cancelled"};
}

}  // namespace partita::internal
