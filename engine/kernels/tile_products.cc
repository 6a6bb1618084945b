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

namespace partita {
namespace {

using dnnl::memory;

/// While it lives, oneDNN sees one thread: the caller's, a member of a team. It would otherwise share a
/// product out over all cores, however few threads were asked for, and sum it in another order; and OpenMP
/// ends the process where it cannot create threads.
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

/// block [64][cols] x slice [cols][64], the slice in whatever layout the primitive likes best.
dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, memory::data_type type, std::size_t cols) {
  const memory::desc block = plain(type, TileProducts::kBlockRows, cols);
  const memory::desc slice(dims(cols, TileProducts::kSliceRows), type, memory::format_tag::any);
  const memory::desc out = plain(memory::data_type::f32, TileProducts::kBlockRows, TileProducts::kSliceRows);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine, block, slice, out, attributes);
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(block, slice, out), attributes, engine);
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

/// Memory that one thread's calls use.
struct Member {
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
  std::vector<Member> members;
  AlignedBytes taken;  // [max_rows rounded up to blocks][cols]
  std::atomic<bool> out_of_memory{false};

  const Shape& shape(std::size_t cols) const {
    return *std::find_if(shapes.begin(), shapes.end(), [&](const Shape& s) { return s.cols == cols; });
  }

  /// y's columns of panels [first, last), at most four.
  void run_slice(Member& member, const PackedMatrix& w, std::size_t first, std::size_t last, std::size_t rows,
                 float* y, std::size_t ld);
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
  const std::size_t blocks = (max_rows + kBlockRows - 1) / kBlockRows;
  impl->taken = AlignedBytes(blocks * kBlockRows * widest * impl->element);
  bool complete = impl->taken.data() != nullptr;
  for (int t = 0; t < threads; ++t) {
    impl->members.push_back({dnnl::stream(impl->engine), AlignedBytes(widest * kSliceRows * sizeof(float)),
                             AlignedBytes(slice_bytes), AlignedBytes(kBlockRows * kSliceRows * sizeof(float)),
                             AlignedBytes(std::max<std::size_t>(scratchpad_bytes, 64))});
    const Member& m = impl->members.back();
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

void TileProducts::take_rows(const float* x, std::size_t rows, std::size_t cols, std::size_t first,
                             std::size_t last) {
  std::byte* taken = impl_->taken.data();
  if (impl_->type == memory::data_type::f32) {
    std::memcpy(taken + first * cols * sizeof(float), x + first * cols,
                (last - first) * cols * sizeof(float));
  } else {
    auto* out = reinterpret_cast<std::uint16_t*>(taken);
    for (std::size_t i = first * cols; i < last * cols; ++i) out[i] = f32_to_bf16(x[i]);
  }
  if (last == rows) {
    const std::size_t padded = (rows + kBlockRows - 1) / kBlockRows * kBlockRows;
    std::memset(taken + rows * cols * impl_->element, 0, (padded - rows) * cols * impl_->element);
  }
}

void TileProducts::Impl::run_slice(Member& member, const PackedMatrix& w, std::size_t first, std::size_t last,
                                   std::size_t rows, float* y, std::size_t ld) {
  const Shape& shape = this->shape(w.cols);
  auto* plain_slice = reinterpret_cast<float*>(member.plain_slice.data());
  for (std::size_t i = 0; i < kSliceRows / kPanelRows; ++i) {
    float* at = plain_slice + i * kPanelRows;
    if (first + i < last) {
      kernels->unpack(w, first + i, at, kSliceRows);
    } else {
      for (std::size_t k = 0; k < w.cols; ++k) std::fill_n(at + k * kSliceRows, kPanelRows, 0.0F);
    }
  }
  memory from(shape.plain_slice, engine, plain_slice);
  memory slice(shape.description.weights_desc(), engine, member.slice.data());
  shape.reorder.execute(member.stream, from, slice);

  auto* out = reinterpret_cast<float*>(member.out.data());
  memory result(shape.description.dst_desc(), engine, out);
  memory scratchpad(shape.description.scratchpad_desc(), engine, member.scratchpad.data());
  const std::size_t column = first * kPanelRows;
  const std::size_t columns = std::min(last * kPanelRows, w.rows) - column;
  for (std::size_t row = 0; row < rows; row += kBlockRows) {
    memory block(shape.description.src_desc(), engine, taken.data() + row * w.cols * element);
    shape.product.execute(member.stream, {{DNNL_ARG_SRC, block},
                                          {DNNL_ARG_WEIGHTS, slice},
                                          {DNNL_ARG_DST, result},
                                          {DNNL_ARG_SCRATCHPAD, scratchpad}});
    member.stream.wait();
    for (std::size_t r = row; r < std::min(row + kBlockRows, rows); ++r) {
      std::copy_n(out + (r - row) * kSliceRows, columns, y + r * ld + column);
    }
  }
}

bool TileProducts::multiply(int thread, const PackedMatrix& w, std::size_t first_panel,
                            std::size_t last_panel, std::size_t rows, float* y, std::size_t ld) try {
  constexpr std::size_t kSlicePanels = kSliceRows / kPanelRows;
  const OneThread one_thread;
  Member& member = impl_->members[static_cast<std::size_t>(thread)];
  for (std::size_t p = first_panel; p < last_panel; p += kSlicePanels) {
    impl_->run_slice(member, w, p, std::min(p + kSlicePanels, last_panel), rows, y, ld);
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
  return {ErrorCode::kUnsupported, "oneDNN could not run a matrix product; PARTITA_ISA=vnni does without it"};
}

}  // namespace partita
