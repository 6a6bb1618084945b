#include "engine/kernels/tile_products.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "weights/catch_all.h"
#include "weights/codecs/codec.h"

namespace partita::internal {
namespace {

using dnnl::memory;

/// Limits oneDNN to one thread, the calling member of a team, while it exists. Otherwise oneDNN would divide
/// a product among all cores, regardless of the requested number of threads, and sum in another order; and
/// OpenMP ends the process if it cannot create threads.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int before_;
};

memory::dims dims(std::size_t rows, std::size_t cols) {
  return {static_cast<memory::dim>(rows), static_cast<memory::dim>(cols)};
}

/// [rows][cols] row-major.
memory::desc plain(memory::data_type type, std::size_t rows, std::size_t cols) {
  return {dims(rows, cols), type, memory::format_tag::ab};
}

/// tile [64][cols] x slice [cols][64]; oneDNN chooses the layout of the slice.
dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, memory::data_type type, std::size_t cols) {
  const memory::desc tile = plain(type, TileProducts::kTileRows, cols);
  const memory::desc slice(dims(cols, TileProducts::kSliceRows), type, memory::format_tag::any);
  const memory::desc out = plain(memory::data_type::f32, TileProducts::kTileRows, TileProducts::kSliceRows);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine, tile, slice, out, attributes);
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(tile, slice, out), attributes, engine);
#endif
}

/// The primitives of one column count; shared by all threads.
struct Shape {
  std::size_t cols;
  dnnl::matmul::primitive_desc description;
  dnnl::matmul product;
  memory::desc plain_slice;  // [cols][64] float
  dnnl::reorder reorder;     // plain_slice to description.weights_desc()

  Shape(const dnnl::engine& engine, memory::data_type type, std::size_t columns)
      : cols(columns),
        description(describe(engine, type, columns)),
        product(description),
        plain_slice(plain(memory::data_type::f32, columns, TileProducts::kSliceRows)),
        reorder(dnnl::reorder::primitive_desc(engine, plain_slice, engine, description.weights_desc())) {}
};

/// Memory of one thread.
struct ThreadMemory {
  dnnl::stream stream;
  AlignedBytes plain_slice, slice, out, scratchpad;
};

}  // namespace

struct TileProducts::Impl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  memory::data_type type = memory::data_type::bf16;
  std::size_t element = 2;
  const Kernels* kernels = nullptr;
  std::vector<Shape> shapes;
  std::vector<ThreadMemory> per_thread;
  AlignedBytes converted;  // [max_rows rounded up to tiles][cols]
  std::atomic<bool> out_of_memory{false};

  const Shape& shape(std::size_t cols) const {
    return *std::find_if(shapes.begin(), shapes.end(), [&](const Shape& s) { return s.cols == cols; });
  }

  /// Computes the columns of y of panels [first, last), at most four.
  void run_slice(ThreadMemory& own, const PackedMatrix& w, std::size_t first, std::size_t last,
                 std::size_t rows, float* y, std::size_t ld);
};

TileProducts::TileProducts(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TileProducts::~TileProducts() = default;

Result<std::unique_ptr<TileProducts>> TileProducts::create(TileType type, std::span<const std::size_t> cols,
                                                           std::size_t max_rows, int threads,
                                                           const Kernels& kernels) try {
  const OneThread one_thread;
  auto impl = std::make_unique<Impl>();
  impl->type = type == TileType::kBF16 ? memory::data_type::bf16 : memory::data_type::f32;
  impl->element = type == TileType::kBF16 ? 2 : 4;
  impl->kernels = &kernels;
  std::size_t widest = 0, slice_bytes = 0, scratchpad_bytes = 0;
  for (const std::size_t c : cols) {
    impl->shapes.emplace_back(impl->engine, impl->type, c);
    const dnnl::matmul::primitive_desc& description = impl->shapes.back().description;
    widest = std::max(widest, c);
    slice_bytes = std::max(slice_bytes, description.weights_desc().get_size());
    scratchpad_bytes = std::max(scratchpad_bytes, description.scratchpad_desc().get_size());
  }
  const std::size_t tiles = (max_rows + kTileRows - 1) / kTileRows;
  impl->converted = AlignedBytes(tiles * kTileRows * widest * impl->element);
  bool complete = impl->converted.data() != nullptr;
  for (int t = 0; t < threads; ++t) {
    impl->per_thread.push_back({dnnl::stream(impl->engine), AlignedBytes(widest * kSliceRows * sizeof(float)),
                                AlignedBytes(slice_bytes),
                                AlignedBytes(kTileRows * kSliceRows * sizeof(float)),
                                AlignedBytes(std::max<std::size_t>(scratchpad_bytes, 64))});
    const ThreadMemory& m = impl->per_thread.back();
    complete = complete && m.plain_slice.data() != nullptr && m.slice.data() != nullptr &&
               m.out.data() != nullptr && m.scratchpad.data() != nullptr;
  }
  if (!complete)
    return Error{ErrorCode::kOutOfMemory,
                 "No memory for the tile products of " + std::to_string(max_rows) + " rows."};
  return std::unique_ptr<TileProducts>(new TileProducts(std::move(impl)));
} catch (const dnnl::error& e) {
  if (e.status == dnnl_out_of_memory) return out_of_memory();
  return Error{ErrorCode::kUnsupported,
               std::string("oneDNN has no such matrix product for this processor: ") + e.what()};
}

void TileProducts::convert_rows(const float* x, std::size_t rows, std::size_t cols, std::size_t first,
                                std::size_t last) {
  std::byte* converted = impl_->converted.data();
  if (impl_->type == memory::data_type::f32) {
    std::memcpy(converted + first * cols * sizeof(float), x + first * cols,
                (last - first) * cols * sizeof(float));
  } else {
    auto* out = reinterpret_cast<std::uint16_t*>(converted);
    for (std::size_t i = first * cols; i < last * cols; ++i) out[i] = f32_to_bf16(x[i]);
  }
  if (last == rows) {
    const std::size_t padded = (rows + kTileRows - 1) / kTileRows * kTileRows;
    std::memset(converted + rows * cols * impl_->element, 0, (padded - rows) * cols * impl_->element);
  }
}

void TileProducts::Impl::run_slice(ThreadMemory& own, const PackedMatrix& w, std::size_t first,
                                   std::size_t last, std::size_t rows, float* y, std::size_t ld) {
  const Shape& shape = this->shape(w.cols);
  auto* plain_slice = reinterpret_cast<float*>(own.plain_slice.data());
  for (std::size_t i = 0; i < kSliceRows / kPanelRows; ++i) {
    float* at = plain_slice + i * kPanelRows;
    if (first + i < last) {
      kernels->unpack(w, first + i, at, kSliceRows);
    } else {
      for (std::size_t k = 0; k < w.cols; ++k) std::fill_n(at + k * kSliceRows, kPanelRows, 0.0F);
    }
  }
  memory from(shape.plain_slice, engine, plain_slice);
  memory slice(shape.description.weights_desc(), engine, own.slice.data());
  shape.reorder.execute(own.stream, from, slice);

  auto* out = reinterpret_cast<float*>(own.out.data());
  memory result(shape.description.dst_desc(), engine, out);
  memory scratchpad(shape.description.scratchpad_desc(), engine, own.scratchpad.data());
  const std::size_t column = first * kPanelRows;
  const std::size_t columns = std::min(last * kPanelRows, w.rows) - column;
  for (std::size_t row = 0; row < rows; row += kTileRows) {
    memory tile(shape.description.src_desc(), engine, converted.data() + row * w.cols * element);
    shape.product.execute(own.stream, {{DNNL_ARG_SRC, tile},
                                       {DNNL_ARG_WEIGHTS, slice},
                                       {DNNL_ARG_DST, result},
                                       {DNNL_ARG_SCRATCHPAD, scratchpad}});
    own.stream.wait();
    for (std::size_t r = row; r < std::min(row + kTileRows, rows); ++r) {
      std::copy_n(out + (r - row) * kSliceRows, columns, y + r * ld + column);
    }
  }
}

bool TileProducts::multiply(int thread, const PackedMatrix& w, std::size_t first_panel,
                            std::size_t last_panel, std::size_t rows, float* y, std::size_t ld) try {
  constexpr std::size_t kSlicePanels = kSliceRows / kPanelRows;
  const OneThread one_thread;
  ThreadMemory& own = impl_->per_thread[static_cast<std::size_t>(thread)];
  for (std::size_t p = first_panel; p < last_panel; p += kSlicePanels) {
    impl_->run_slice(own, w, p, std::min(p + kSlicePanels, last_panel), rows, y, ld);
  }
  return true;
} catch (const dnnl::error& e) {
  if (e.status == dnnl_out_of_memory) impl_->out_of_memory.store(true, std::memory_order_relaxed);
  return false;
} catch (const std::bad_alloc&) {
  impl_->out_of_memory.store(true, std::memory_order_relaxed);
  return false;
}

Error TileProducts::failure() const {
  if (impl_->out_of_memory.exchange(false, std::memory_order_relaxed)) return out_of_memory();
  return {ErrorCode::kUnsupported,
          "oneDNN could not run a matrix product; set PARTITA_ISA=vnni to run without oneDNN"};
}

}  // namespace partita::internal
