// Helpers that the codec files share: reading the fields of a quantization block, and the formula that
// dequantizes a QuantBlock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weights/codecs/codec.h"

namespace partita::internal {

// --- little-endian fields at any alignment ----------------------------------------------------------
std::uint16_t load_u16(const std::byte* from);
std::uint32_t load_u32(const std::byte* from);
void store_u16(std::uint16_t value, std::byte* to);
void store_u32(std::uint32_t value, std::byte* to);

inline std::uint8_t low_nibble(std::byte b) { return std::to_integer<std::uint8_t>(b & std::byte{15}); }
inline std::uint8_t high_nibble(std::byte b) { return std::to_integer<std::uint8_t>(b >> 4); }

// --- 32 elements of 4 or 5 bits, as Q4_0, Q4_1, Q5_0 and Q5_1 store them ----------------------------
/// Byte i of 16 holds the low four bits of elements i (low nibble) and i + 16 (high nibble).
void unpack_nibbles_32(const std::byte* from, std::uint8_t* q);
void pack_nibbles_32(const std::uint8_t* q, std::byte* to);

/// Bit i of a 32-bit word is the fifth bit of element i.
void unpack_fifth_bits_32(const std::byte* from, std::uint8_t* q);  // ORs into q
void pack_fifth_bits_32(const std::uint8_t* q, std::byte* to);

/// The twelve bytes of Q4_K and Q5_K that hold eight six-bit scales and eight six-bit minimums.
void unpack_scales_6bit(const std::byte* from, std::int8_t* sc, std::uint8_t* mn);
void pack_scales_6bit(const std::int8_t* sc, const std::uint8_t* mn, std::byte* to);

/// q[i] = bits [shift, shift + 2) of byte i, of n bytes.
void unpack_bit_pairs(const std::byte* from, int n, int shift, std::uint8_t* q);
void pack_bit_pairs(const std::uint8_t* q, int n, int shift, std::byte* to);  // ORs into the bytes

/// A codebook of at most 16 values.
template <std::size_t N>
constexpr Codebook codebook_of(const int (&values)[N]) {
  static_assert(16 % N == 0);
  Codebook all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int8_t>(values[i % N]);
  return all;
}

/// Twice the values of FP4 (E2M1), of MXFP4 and NVFP4.
inline constexpr Codebook kFp4Codebook =
    codebook_of({0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12});

/// The values of IQ4_NL and IQ4_XS.
inline constexpr Codebook kIq4Codebook =
    codebook_of({-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113});

/// The values of types with three levels, TQ1_0, TQ2_0 and Q2_0.
inline constexpr Codebook kTernaryCodebook = codebook_of({-1, 0, 1, 2});

// --- choosing a scale -------------------------------------------------------------------------------
/// The smallest and largest of 32 values, and the first one of the largest magnitude.
struct Range32 {
  float min;
  float max;
  float extreme;
};
Range32 range_32(const float* values);

/// 1 / d, or 0 if that is not finite: such a d rounds to 0 as f16, so that all q mean the same value.
float reciprocal_or_zero(float d);

/// Truncates to 0..max; NaN gives 0.
std::uint8_t truncate_to(float value, int max);

// --- whole tensors ----------------------------------------------------------------------------------
/// out: layout.block values, value = scale * level(q) - minimum of the element's group.
void dequantize_block(const QuantLayout& layout, const QuantBlock& block, float* out);

/// Codec::dequantize of a type, from its layout and its decompose function.
template <const QuantLayout& kLayout, std::size_t kBytes, void (*kDecompose)(const std::byte*, QuantBlock&)>
void dequantize_blocks(const std::byte* blocks, std::size_t n, float* out) {
  QuantBlock block;
  for (std::size_t i = 0; i < n; i += kLayout.block, blocks += kBytes) {
    kDecompose(blocks, block);
    dequantize_block(kLayout, block, out + i);
  }
}

}  // namespace partita::internal
