#include "engine/kernels/panels.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace partita::internal {
namespace {

constexpr std::size_t kCacheLine = 64;

std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

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

/// Bytes of the scales of 32 columns, where a scale is a byte.
std::size_t byte_scales(const QuantLayout& layout) { return layout.group == 16 ? 32 : 16; }

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
    case ScaleKind::kSuperU4:
      return groups * 32 + supers * 64;
    case ScaleKind::kSuperI8:
      return groups * byte_scales(layout) + supers * 32;
    case ScaleKind::kE8M0:
    case ScaleKind::kUE4M3:
      return groups * byte_scales(layout);
  }
  return 0;
}

/// The word of columns 8t .. 8t+7: columns 0..3 in the low nibbles of four bytes, 4..7 in the high. Of each q
/// only the low four bits count.
inline std::uint32_t nibble_word(const std::uint8_t* q) {
  std::uint32_t low = 0, high = 0;
  std::memcpy(&low, q, 4);
  std::memcpy(&high, q + 4, 4);
  return (low & 0x0F0F0F0FU) | (high & 0x0F0F0F0FU) << 4;
}

/// Writes the 32 quants q of lane r into a group.
template <int bits>
void put_group(std::byte* group, int lane, const std::uint8_t* q) {
  std::byte* at = group + lane * 4;
  if constexpr (bits == 8) {
    for (int t = 0; t < 8; ++t) std::memcpy(at + t * 64, q + t * 4, 4);
    return;
  }
  for (int t = 0; t < 4; ++t) {
    const std::uint32_t word = nibble_word(q + t * 8);
    std::memcpy(at + t * 64, &word, 4);
  }
  constexpr int kHighBits = bits - 4;  // of each quant in the vectors after the nibbles: 1 or 2
  if constexpr (kHighBits > 0) {
    constexpr int kPairsPerVector = 16 / kHighBits;
    std::uint32_t words[2] = {};
#pragma GCC unroll 32
    for (int c = 0; c < kGroupCols; ++c) {
      const auto [pair, half] = place_of(c);
      words[pair / kPairsPerVector] |= static_cast<std::uint32_t>(q[c] >> 4)
                                       << (half * 16 + pair % kPairsPerVector * kHighBits);
    }
    for (int v = 0; v < kHighBits; ++v) std::memcpy(at + 256 + v * 64, &words[v], 4);
  }
}

/// The same for a type with a codebook.
template <int bits>
void put_codebook_group(std::byte* group, int lane, const std::uint8_t* q) {
  std::uint32_t words[4] = {};  // the first `bits` are stored
  for (int t = 0; t < 4; ++t) {
    const std::uint32_t word = nibble_word(q + t * 8);
    if constexpr (bits == 3) {
      if (t < 3) words[t] = word;
      for (int bit = 0; t == 3 && bit < 3; ++bit) words[bit] |= (word >> bit & 0x11111111U) << 3;
    } else {
      constexpr int kPerVector = 4 / bits;
      words[t / kPerVector] |= word << (t % kPerVector * bits);
    }
  }
  for (int v = 0; v < bits; ++v) std::memcpy(group + v * 64 + lane * 4, &words[v], 4);
}

std::uint32_t word_at(const std::byte* group, int vector, int lane) {
  std::uint32_t word = 0;
  std::memcpy(&word, group + vector * 64 + lane * 4, 4);
  return word;
}

/// The inverse of nibble_word().
inline void split_nibbles(std::uint32_t word, std::uint8_t* q) {
  const std::uint32_t low = word & 0x0F0F0F0FU, high = word >> 4 & 0x0F0F0F0FU;
  std::memcpy(q, &low, 4);
  std::memcpy(q + 4, &high, 4);
}

/// The inverse of put_codebook_group().
void get_codebook_group(const std::byte* group, int bits, int lane, std::uint8_t* q) {
  const std::uint32_t quant = (1U << bits) - 1;
  for (int t = 0; t < 4; ++t) {
    std::uint32_t word = 0;
    if (bits == 3 && t == 3) {
      for (int bit = 0; bit < 3; ++bit) word |= (word_at(group, bit, lane) >> 3 & 0x11111111U) << bit;
    } else {
      const int per_vector = bits == 3 ? 1 : 4 / bits;
      word = word_at(group, t / per_vector, lane) >> (t % per_vector * bits) & quant * 0x11111111U;
    }
    split_nibbles(word, q + t * 8);
  }
}

/// The inverse of put_group().
void get_group(const std::byte* group, int bits, int lane, std::uint8_t* q) {
  if (bits == 8) {
    for (int t = 0; t < 8; ++t) std::memcpy(q + t * 4, group + t * 64 + lane * 4, 4);
    return;
  }
  for (int t = 0; t < 4; ++t) split_nibbles(word_at(group, t, lane), q + t * 8);
  const int high_bits = bits - 4;
  if (high_bits == 0) return;
  const int pairs_per_vector = 16 / high_bits;
  for (int c = 0; c < kGroupCols; ++c) {
    const auto [pair, half] = place_of(c);
    const std::uint32_t word = word_at(group, 4 + pair / pairs_per_vector, lane);
    const unsigned high = word >> (half * 16 + pair % pairs_per_vector * high_bits);
    q[c] = static_cast<std::uint8_t>(q[c] | (high & ((1U << high_bits) - 1)) << 4);
  }
}

/// The levels of the 32 columns of a group (QuantLayout::level).
void get_levels(const QuantLayout& layout, const std::byte* group, int lane, std::int16_t* levels) {
  std::uint8_t q[kGroupCols];
  (layout.codebook != nullptr ? get_codebook_group : get_group)(group, layout.bits, lane, q);
  for (int c = 0; c < kGroupCols; ++c) levels[c] = static_cast<std::int16_t>(layout.level(q[c]));
}

/// The offset of the scales of group g and, for the super kinds, of the f16 factors of its super-block.
struct ScalePlace {
  std::size_t group, super;
};
ScalePlace scale_place(const QuantLayout& layout, std::size_t g) {
  const auto within = [g](std::size_t factors, std::size_t own) {
    const std::size_t super = g / kSuperGroups * (factors + kSuperGroups * own);
    return ScalePlace{super + factors + g % kSuperGroups * own, super};
  };
  switch (layout.scale) {
    case ScaleKind::kE8M0:
    case ScaleKind::kUE4M3:
      return {g * byte_scales(layout), 0};
    case ScaleKind::kF16Min:
      return {g * 64, 0};
    case ScaleKind::kSuper:
    case ScaleKind::kSuperU4:
      return within(64, 32);
    case ScaleKind::kSuperI8:
      return within(32, byte_scales(layout));
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

/// value = scale * level + added; the two halves of a group may differ.
struct LaneScales {
  float scale[2];
  float added[2];
};

LaneScales lane_scales(const PackedMatrix& matrix, std::size_t panel, std::size_t group, int lane) {
  const QuantLayout& layout = matrix.layout;
  const std::byte* scales = matrix.scales(panel);
  const ScalePlace at = scale_place(layout, group);
  const std::byte* own = scales + at.group;
  const auto both = [](float scale, float added) { return LaneScales{{scale, scale}, {added, added}}; };
  const int second = layout.group == 16 ? 16 + lane : lane;  // of the bytes, for columns 16..31
  const auto byte = [&](int i) { return std::to_integer<std::uint8_t>(own[i]); };
  switch (layout.scale) {
    case ScaleKind::kF16:
      return both(get_f16(own, lane), 0);
    case ScaleKind::kF16Min:
      return both(get_f16(own, lane), get_f16(own + 32, lane));
    case ScaleKind::kSuper: {
      const float scale = get_f16(scales + at.super, lane) * static_cast<float>(own[lane]);
      return both(scale, -(get_f16(scales + at.super + 32, lane) * static_cast<float>(own[16 + lane])));
    }
    case ScaleKind::kSuperU4: {
      const float d = get_f16(scales + at.super, lane), m = get_f16(scales + at.super + 32, lane);
      const auto low = [&](int i) { return static_cast<float>(byte(i) & 15); };
      const auto high = [&](int i) { return static_cast<float>(byte(i) >> 4); };
      return {{d * low(lane), d * low(second)}, {-(m * high(lane)), -(m * high(second))}};
    }
    case ScaleKind::kSuperI8: {
      const float d = get_f16(scales + at.super, lane) * layout.factor;
      const auto sc = [&](int i) { return static_cast<float>(static_cast<std::int8_t>(byte(i))); };
      return {{d * sc(lane), d * sc(second)}, {}};
    }
    case ScaleKind::kE8M0:
      return both(e8m0_scale(byte(lane)), 0);
    case ScaleKind::kUE4M3:
      return {{ue4m3_scale(byte(lane)), ue4m3_scale(byte(second))}, {}};
    case ScaleKind::kNone:
      break;
  }
  return {};
}

/// Writes the scales of group g of a row's panel, the i-th of its block, for lane `lane`.
void put_scales(const QuantLayout& layout, const QuantBlock& block, int i, std::size_t g, int lane,
                std::byte* scales) {
  const ScalePlace at = scale_place(layout, g);
  std::byte* own = scales + at.group;
  const int halves = kGroupCols / layout.group;
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
    case ScaleKind::kSuperU4:
      put_f16(scales + at.super, lane, block.d);
      put_f16(scales + at.super + 32, lane, block.m);
      for (int h = 0; h < 2; ++h)
        own[16 * h + lane] = static_cast<std::byte>(block.sc[2 * i + h] | block.mn[2 * i + h] << 4);
      break;
    case ScaleKind::kSuperI8:
      put_f16(scales + at.super, lane, block.d);
      [[fallthrough]];
    case ScaleKind::kUE4M3:
      for (int h = 0; h < halves; ++h) own[16 * h + lane] = static_cast<std::byte>(block.sc[halves * i + h]);
      break;
    case ScaleKind::kE8M0:
      own[lane] = static_cast<std::byte>(block.d);
      break;
    case ScaleKind::kNone:
      break;
  }
}

/// Writes 32 quants of lane `lane` into a group.
using PutGroup = void (*)(std::byte* group, int lane, const std::uint8_t* q);

/// Packs one quantization block, the b-th of its row, into lane `lane` of a panel.
template <int bits, PutGroup put>
void put_block(const QuantLayout& layout, const QuantBlock& block, std::size_t b, int lane, std::byte* quants,
               std::byte* scales) {
  const int per_block = layout.block / kGroupCols;
  for (int i = 0; i < per_block; ++i) {
    const std::size_t g = b * static_cast<std::size_t>(per_block) + static_cast<std::size_t>(i);
    put(quants + g * bits * 64, lane, block.q + i * kGroupCols);
    put_scales(layout, block, i, g, lane, scales);
  }
}

/// Packs rows of quantization blocks into the lanes of a panel, block by block, so that the written bytes
/// stay in the cache until they are complete. rows: [lanes]
template <int bits, PutGroup put>
void pack_quantized(const Codec& type, const std::byte* const* rows, int lanes, std::size_t cols,
                    std::byte* quants, std::byte* scales) {
  const std::size_t bytes = block_bytes(type.dtype), blocks = cols / block_elements(type.dtype);
  QuantBlock block;
  for (std::size_t b = 0; b < blocks; ++b) {
    for (int lane = 0; lane < lanes; ++lane) {
      type.decompose(rows[lane] + b * bytes, block);
      put_block<bits, put>(type.layout, block, b, lane, quants, scales);
    }
  }
}

auto pack_quantized_of(const QuantLayout& layout) {
  if (layout.codebook != nullptr) {
    return layout.bits == 4   ? pack_quantized<4, put_group<4>>
           : layout.bits == 3 ? pack_quantized<3, put_codebook_group<3>>
           : layout.bits == 2 ? pack_quantized<2, put_codebook_group<2>>
                              : pack_quantized<1, put_codebook_group<1>>;
  }
  return layout.bits == 4   ? pack_quantized<4, put_group<4>>
         : layout.bits == 5 ? pack_quantized<5, put_group<5>>
         : layout.bits == 6 ? pack_quantized<6, put_group<6>>
                            : pack_quantized<8, put_group<8>>;
}

}  // namespace

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
      pack_quantized_of(matrix.layout)(type, rows, lanes, matrix.cols, quants, quants + matrix.quant_bytes);
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
  for (int lane = 0; lane < kPanelRows; ++lane) {
    std::int16_t levels[kGroupCols];
    get_levels(matrix.layout, at, lane, levels);
    for (int i = 0; i < kGroupCols; ++i) {
      quants[i * kPanelRows + lane] = levels[i / 8 * 8 + kPairOrder[i % 8]];
    }
  }
}

void unpack_scales(const PackedMatrix& matrix, std::size_t panel, std::size_t group, float* scales) {
  for (int lane = 0; lane < kPanelRows; ++lane) {
    const LaneScales own = lane_scales(matrix, panel, group, lane);
    scales[lane] = own.scale[0];
    scales[kPanelRows + lane] = own.scale[1];
    scales[2 * kPanelRows + lane] = own.added[0];
    scales[3 * kPanelRows + lane] = own.added[1];
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
  for (std::size_t g = 0; g < matrix.cols / kGroupCols; ++g) {
    const LaneScales own = lane_scales(matrix, panel, g, lane);
    const std::byte* group = quants + g * static_cast<std::size_t>(matrix.layout.bits) * 64;
    std::int16_t levels[kGroupCols];
    get_levels(matrix.layout, group, lane, levels);
    for (int c = 0; c < kGroupCols; ++c) {
      out[(g * kGroupCols + static_cast<std::size_t>(c)) * stride] =
          own.scale[c / 16] * static_cast<float>(levels[c]) + own.added[c / 16];
    }
  }
}

}  // namespace partita::internal
