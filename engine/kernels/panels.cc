#include "engine/kernels/panels.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

namespace partita::internal {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

/// The columns, within each 8, of the nibbles of a lane, lowest nibble first.
constexpr int kNibbleColumn[8] = {0, 4, 1, 5, 2, 6, 3, 7};

/// The pair p (0..15) and half (0, 1) in which the kernels read column c (0..31) of a group.
struct PairPlace {
  int pair, half;
};
constexpr PairPlace place_of(int column) {
  // Pairs of each eight columns: (0,2) (4,6) (1,3) (5,7).
  constexpr PairPlace kOfEight[8] = {{0, 0}, {2, 0}, {0, 1}, {2, 1}, {1, 0}, {3, 0}, {1, 1}, {3, 1}};
  const PairPlace in_eight = kOfEight[column % 8];
  return {column / 8 * 4 + in_eight.pair, in_eight.half};
}

std::size_t scale_plane_bytes(const QuantLayout& layout, std::size_t cols) {
  const std::size_t groups = cols / kGroupCols;
  const std::size_t supers = groups / kSuperGroups;
  switch (layout.scale) {
    case ScaleKind::kNone:
      return 0;
    case ScaleKind::kF16:
      return groups * 32;
    case ScaleKind::kF16Min:
      return groups * 64;
    case ScaleKind::kSuper:
      return groups * 32 + supers * 64;
    case ScaleKind::kSuperI8:
      return groups * 32 + supers * 32;
    case ScaleKind::kE8M0:
      return groups * 16;
  }
  return 0;
}

/// Writes the 32 quants q of lane r into a group.
inline void put_group(std::byte* group, int bits, int lane, const std::uint8_t* q) {
  std::byte* at = group + lane * 4;
  if (bits == 8) {
    for (int t = 0; t < 8; ++t) std::memcpy(at + t * 64, q + t * 4, 4);
    return;
  }
  // kNibbleColumn: columns 0..3 in the low nibbles of four bytes, 4..7 in the high.
  for (int t = 0; t < 4; ++t) {
    std::uint32_t low = 0, high = 0;
    std::memcpy(&low, q + t * 8, 4);
    std::memcpy(&high, q + t * 8 + 4, 4);
    const std::uint32_t word = (low & 0x0F0F0F0FU) | (high & 0x0F0F0F0FU) << 4;
    std::memcpy(at + t * 64, &word, 4);
  }
  const int high_bits = bits - 4;  // of each quant in the vectors after the nibbles: 1 or 2
  if (high_bits == 0) return;
  const int pairs_per_vector = 16 / high_bits;
  std::uint32_t words[2] = {};
#pragma GCC unroll 32
  for (int c = 0; c < kGroupCols; ++c) {
    const auto [pair, half] = place_of(c);
    words[pair / pairs_per_vector] |= static_cast<std::uint32_t>(q[c] >> 4)
                                      << (half * 16 + pair % pairs_per_vector * high_bits);
  }
  for (int v = 0; v < high_bits; ++v) std::memcpy(at + 256 + v * 64, &words[v], 4);
}

unsigned get_quant(const std::byte* group, int bits, int lane, int column) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(group);
  if (bits == 8) return bytes[column / 4 * 64 + lane * 4 + column % 4];
  int nibble = 0;
  while (kNibbleColumn[nibble] != column % 8) ++nibble;
  unsigned q = bytes[column / 8 * 64 + lane * 4 + nibble / 2] >> (nibble % 2 * 4) & 15U;
  const int high_bits = bits - 4;
  if (high_bits == 0) return q;
  const auto [pair, half] = place_of(column);
  const int pairs_per_vector = 16 / high_bits;
  std::uint32_t word = 0;
  std::memcpy(&word, bytes + 256 + pair / pairs_per_vector * 64 + lane * 4, 4);
  const unsigned high = word >> (half * 16 + pair % pairs_per_vector * high_bits);
  return q | (high & ((1U << high_bits) - 1)) << 4;
}

/// The offset of the scales of group g and, for the super kinds, of the f16 factors of its super-block.
struct ScalePlace {
  std::size_t group, super;
};
ScalePlace scale_place(ScaleKind kind, std::size_t g) {
  const std::size_t s = g / kSuperGroups;
  switch (kind) {
    case ScaleKind::kE8M0:
      return {g * 16, 0};
    case ScaleKind::kF16Min:
      return {g * 64, 0};
    case ScaleKind::kSuper:
      return {s * (64 + kSuperGroups * 32) + 64 + g % kSuperGroups * 32, s * (64 + kSuperGroups * 32)};
    case ScaleKind::kSuperI8:
      return {s * (32 + kSuperGroups * 32) + 32 + g % kSuperGroups * 32, s * (32 + kSuperGroups * 32)};
    default:
      return {g * 32, 0};
  }
}

void put_f16(std::byte* at, int lane, std::uint16_t bits) { std::memcpy(at + lane * 2, &bits, 2); }

float get_f16(const std::byte* at, int lane) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at + lane * 2, 2);
  return f16_to_f32(bits);
}

/// value = scale * q + added; the two halves of a group may differ in scale.
struct LaneScales {
  float scale[2];
  float added;
};

LaneScales lane_scales(const PackedMatrix& matrix, std::size_t panel, std::size_t group, int lane) {
  const std::byte* scales = matrix.scales(panel);
  const ScalePlace at = scale_place(matrix.layout.scale, group);
  const std::byte* own = scales + at.group;
  const auto signed_byte = [&](int i) { return static_cast<float>(static_cast<std::int8_t>(own[i])); };
  switch (matrix.layout.scale) {
    case ScaleKind::kF16: {
      const float d = get_f16(own, lane);
      return {{d, d}, 0};
    }
    case ScaleKind::kF16Min: {
      const float d = get_f16(own, lane);
      return {{d, d}, get_f16(own + 32, lane)};
    }
    case ScaleKind::kSuper: {
      const float scale = get_f16(scales + at.super, lane) * static_cast<float>(own[lane]);
      return {{scale, scale}, -(get_f16(scales + at.super + 32, lane) * static_cast<float>(own[16 + lane]))};
    }
    case ScaleKind::kSuperI8: {
      const float d = get_f16(scales + at.super, lane);
      return {{d * signed_byte(lane), d * signed_byte(16 + lane)}, 0};
    }
    case ScaleKind::kE8M0: {
      const float scale = e8m0_scale(std::to_integer<std::uint8_t>(own[lane]));
      return {{scale, scale}, 0};
    }
    case ScaleKind::kNone:
      break;
  }
  return {};
}

/// Packs one quantization block, the b-th of its row, into lane `lane` of a panel.
template <int bits>
void put_block(const QuantLayout& layout, const QuantBlock& block, std::size_t b, int lane, std::byte* quants,
               std::byte* scales) {
  const int per_block = layout.block / kGroupCols;
  for (int i = 0; i < per_block; ++i) {
    const std::size_t g = b * static_cast<std::size_t>(per_block) + static_cast<std::size_t>(i);
    put_group(quants + g * bits * 64, bits, lane, block.q + i * kGroupCols);
    const ScalePlace at = scale_place(layout.scale, g);
    std::byte* own = scales + at.group;
    switch (layout.scale) {
      case ScaleKind::kF16Min:
        put_f16(own + 32, lane, block.m);
        [[fallthrough]];
      case ScaleKind::kF16:
        put_f16(own, lane, block.d);
        break;
      case ScaleKind::kSuper:
        put_f16(scales + at.super, lane, block.d);
        put_f16(scales + at.super + 32, lane, block.m);
        own[lane] = static_cast<std::byte>(block.sc[i]);
        own[16 + lane] = static_cast<std::byte>(block.mn[i]);
        break;
      case ScaleKind::kSuperI8:
        put_f16(scales + at.super, lane, block.d);
        own[lane] = static_cast<std::byte>(block.sc[2 * i]);
        own[16 + lane] = static_cast<std::byte>(block.sc[2 * i + 1]);
        break;
      case ScaleKind::kE8M0:
        own[lane] = static_cast<std::byte>(block.d);
        break;
      case ScaleKind::kNone:
        break;
    }
  }
}

/// Packs rows of quantization blocks into the lanes of a panel, block by block, so that the written bytes
/// stay in the cache until they are complete. rows: [lanes]
template <int bits>
void pack_quantized(const Codec& type, const std::byte* const* rows, int lanes, std::size_t cols,
                    std::byte* quants, std::byte* scales) {
  const std::size_t bytes = block_bytes(type.dtype), blocks = cols / block_elements(type.dtype);
  QuantBlock block;
  for (std::size_t b = 0; b < blocks; ++b) {
    for (int lane = 0; lane < lanes; ++lane) {
      type.decompose(rows[lane] + b * bytes, block);
      put_block<bits>(type.layout, block, b, lane, quants, scales);
    }
  }
}

auto pack_quantized_of(int bits) {
  return bits == 4   ? pack_quantized<4>
         : bits == 5 ? pack_quantized<5>
         : bits == 6 ? pack_quantized<6>
                     : pack_quantized<8>;
}

}  // namespace

AlignedBytes::AlignedBytes(std::size_t bytes) {
  if (bytes == 0) return;
  if (bytes < kHugePage) {
    const std::size_t room = round_up(bytes, kCacheLine);
    base_ = std::aligned_alloc(kCacheLine, room);
    if (base_ == nullptr) return;
    std::memset(base_, 0, room);
    data_ = static_cast<std::byte*>(base_);
  } else {
    // Directly from the system: zero, and in memory only when touched. Huge pages avoid most TLB misses of
    // the decoder, which reads all weights for every token.
    const std::size_t room = bytes + kHugePage;
    if (room < bytes) return;
    void* p = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    base_ = p;
    mapped_ = room;
    data_ = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(p), kHugePage));
    madvise(data_, bytes, MADV_HUGEPAGE);
  }
  size_ = bytes;
}

AlignedBytes::AlignedBytes(AlignedBytes&& other) noexcept { *this = std::move(other); }

AlignedBytes& AlignedBytes::operator=(AlignedBytes&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(mapped_, other.mapped_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AlignedBytes::~AlignedBytes() {
  if (mapped_ != 0) {
    munmap(base_, mapped_);
  } else {
    std::free(base_);
  }
}

void release_memory(std::byte* at, std::size_t bytes) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = round_up(reinterpret_cast<std::uintptr_t>(at), page);
  const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(at) + bytes) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::byte* PanelArena::allocate(std::size_t bytes) {
  const std::size_t room = round_up(bytes, kCacheLine);
  if (room <= block_.size() - used_) {
    std::byte* at = block_.data() + used_;
    used_ += room;
    return at;
  }
  return alone_.emplace_back(bytes).data();
}

Result<PackedMatrix> panels_for(Dtype dtype, std::size_t rows, std::size_t cols) {
  PackedMatrix m;
  m.rows = rows;
  m.cols = cols;
  m.dtype = dtype;
  m.layout = codec(dtype).layout;
  if (rows == 0 || cols == 0 || cols % block_elements(dtype) != 0) {
    return Error{ErrorCode::kUnsupported,
                 "A matrix of " + std::to_string(rows) + " x " + std::to_string(cols) +
                     " elements cannot be " + std::string(name(dtype)) +
                     ": its columns must be whole blocks of " + std::to_string(block_elements(dtype)) + "."};
  }
  m.quant_bytes = m.quantized() ? cols / kGroupCols * static_cast<std::size_t>(m.layout.bits) * 64
                                : round_up(cols * kPanelRows * block_bytes(dtype), kCacheLine);
  m.scale_bytes = round_up(scale_plane_bytes(m.layout, cols), kCacheLine);
  return m;
}

Result<PackedMatrix> allocate_panels(Dtype dtype, std::size_t rows, std::size_t cols, PanelArena& arena) {
  auto m = panels_for(dtype, rows, cols);
  if (!m) return m;
  m->storage = arena.allocate(m->bytes());
  if (m->storage == nullptr) {
    return Error{ErrorCode::kOutOfMemory, "No memory for a matrix of " + std::to_string(rows) + " x " +
                                              std::to_string(cols) + " elements (" +
                                              std::to_string(m->bytes()) + " bytes)."};
  }
  return m;
}

void pack_panels(PackedMatrix& matrix, const RowBlocks& blocks, std::span<const std::uint32_t> row_map,
                 std::size_t first, std::size_t last) {
  const Codec& type = codec(matrix.dtype);
  const std::size_t element = block_bytes(matrix.dtype);
  const std::size_t row_bytes = matrix.cols / block_elements(matrix.dtype) * element;
  for (std::size_t p = first; p < last; ++p) {
    std::byte* quants = matrix.storage + p * matrix.panel_bytes();
    const std::size_t first_row = p * kPanelRows;
    const int lanes = static_cast<int>(std::min<std::size_t>(kPanelRows, matrix.rows - first_row));
    const std::byte* rows[kPanelRows];
    for (int lane = 0; lane < lanes; ++lane) {
      const std::size_t row = first_row + static_cast<std::size_t>(lane);
      const std::size_t in_file = row_map.empty() ? row : row_map[row];
      rows[lane] = blocks.bytes.data() + (in_file - blocks.first_row) * row_bytes;
    }
    if (matrix.quantized()) {
      pack_quantized_of(matrix.layout.bits)(type, rows, lanes, matrix.cols, quants,
                                            quants + matrix.quant_bytes);
      continue;
    }
    for (std::size_t c = 0; c < matrix.cols; ++c) {
      for (int lane = 0; lane < lanes; ++lane) {
        std::memcpy(quants + (c * kPanelRows + static_cast<std::size_t>(lane)) * element,
                    rows[lane] + c * element, element);
      }
    }
  }
}

void unpack_quants(const PackedMatrix& matrix, std::size_t panel, std::size_t group, std::int16_t* quants) {
  const std::byte* at = matrix.quants(panel) + group * static_cast<std::size_t>(matrix.layout.bits) * 64;
  for (int i = 0; i < kGroupCols; ++i) {
    const int column = i / 8 * 8 + kPairOrder[i % 8];
    for (int lane = 0; lane < kPanelRows; ++lane) {
      const int q = static_cast<int>(get_quant(at, matrix.layout.bits, lane, column)) - matrix.layout.offset;
      quants[i * kPanelRows + lane] = static_cast<std::int16_t>(q);
    }
  }
}

void unpack_scales(const PackedMatrix& matrix, std::size_t panel, std::size_t group, float* scales) {
  for (int lane = 0; lane < kPanelRows; ++lane) {
    const LaneScales own = lane_scales(matrix, panel, group, lane);
    scales[lane] = own.scale[0];
    scales[kPanelRows + lane] = own.scale[1];
    scales[2 * kPanelRows + lane] = own.added;
  }
}

void unpack_row(const PackedMatrix& matrix, std::size_t row, float* out, std::size_t stride) {
  const std::size_t panel = row / kPanelRows;
  const int lane = static_cast<int>(row % kPanelRows);
  const std::byte* quants = matrix.quants(panel);
  if (!matrix.quantized()) {
    const std::size_t element = block_bytes(matrix.dtype);
    const Codec& type = codec(matrix.dtype);
    for (std::size_t c = 0; c < matrix.cols; ++c) {
      type.dequantize(quants + (c * kPanelRows + static_cast<std::size_t>(lane)) * element, 1,
                      out + c * stride);
    }
    return;
  }
  const int bits = matrix.layout.bits;
  for (std::size_t g = 0; g < matrix.cols / kGroupCols; ++g) {
    const LaneScales own = lane_scales(matrix, panel, g, lane);
    const std::byte* group = quants + g * static_cast<std::size_t>(bits) * 64;
    for (int c = 0; c < kGroupCols; ++c) {
      const int q = static_cast<int>(get_quant(group, bits, lane, c)) - matrix.layout.offset;
      out[(g * kGroupCols + static_cast<std::size_t>(c)) * stride] =
          own.scale[c / 16] * static_cast<float>(q) + own.added;
    }
  }
}

}  // namespace partita::internal
