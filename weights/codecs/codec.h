// Quantization codecs: how each GGUF type stores a block of values. One file per type; this is their common
// interface.
//
// Every quantized type stores unsigned integers q for a group of 16 or 32 consecutive elements, with
//     value = scale * (q - offset) - minimum    or    value = scale * codebook[q] - minimum
// where `offset` and `codebook` are constants of the type. `decompose` returns a block in that form without
// rounding (scale and minimum stay as their exact factors); the weight panels of engine/kernels are packed
// from it. `dequantize` returns the values and is the definition.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "weights/codecs/dtype.h"

namespace partita::internal {

/// IEEE half, bfloat16: bit patterns to float and back (round to nearest even).
float f16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_f16(float value);
float bf16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_bf16(float value);

/// 2^(e - 128).
float e8m0_scale(std::uint8_t e);

/// Half of an unsigned float of four exponent and three fraction bits, NaN as 240; bit 7 is ignored.
float ue4m3_scale(std::uint8_t e4m3);

/// How the scale (and minimum) of a group is stored.
enum class ScaleKind : std::uint8_t {
  kNone,     // float types: no groups
  kF16,      // scale = d                           (Q4_0, Q5_0, Q8_0, IQ4_NL)
  kF16Min,   // scale = d, minimum = -m, so value = d * q + m   (Q4_1, Q5_1)
  kSuper,    // scale = d * sc, minimum = dmin * mn, sc and mn six-bit (Q4_K, Q5_K)
  kSuperU4,  // the same, sc and mn four-bit                    (Q2_K)
  kSuperI8,  // scale = d * sc * factor, sc a signed byte, no minimum (Q3_K, Q6_K, IQ4_XS)
  kE8M0,     // scale = 2^(e - 128), e a byte                   (MXFP4)
  kUE4M3,    // scale = ue4m3_scale(sc)                         (NVFP4)
};

/// The integers that q stand for. With fewer than 16 values they repeat, so that bits above those of q do not
/// matter.
using Codebook = std::array<std::int8_t, 16>;

/// The layout that all blocks of a type share.
struct QuantLayout {
  ScaleKind scale = ScaleKind::kNone;
  int bits = 0;                        // of q: 4, 5, 6 or 8; with a codebook 1 to 4
  int group = 0;                       // elements with a common scale: 16 or 32
  int offset = 0;                      // subtracted from q; with a codebook 0
  int block = 1;                       // elements in a block
  const Codebook* codebook = nullptr;  // of codebook[q], the value is a multiple; null: of q - offset
  float factor = 1.0F;                 // of every scale of kSuperI8: a power of two

  /// The integer of which an element's value is a multiple.
  int level(std::uint8_t q) const { return codebook != nullptr ? (*codebook)[q] : q - offset; }
};

/// A decomposed block. Sized for the largest type (256 elements, 16 groups).
struct QuantBlock {
  std::uint8_t q[256];       // element i of the block, 0 <= q < 2^bits (Q8_0: the signed byte + 128)
  std::uint16_t d = 0;       // f16 bits; kE8M0: e
  std::uint16_t m = 0;       // f16 bits: Q4_1, Q5_1's m; Q2_K, Q4_K, Q5_K's dmin; else 0
  std::int8_t sc[16] = {};   // per group: kSuper 0..63, kSuperU4 0..15, kSuperI8 -128..127, kUE4M3 its bits
  std::uint8_t mn[16] = {};  // per group: kSuper 0..63, kSuperU4 0..15
};

/// One quantization type. Pointers are valid for the life of the program.
struct Codec {
  Dtype dtype;
  QuantLayout layout;

  /// blocks: n / block_elements(dtype) blocks, any alignment; out: n floats. The definition.
  void (*dequantize)(const std::byte* blocks, std::size_t n, float* out);

  /// values: n floats; out: the blocks, as the reference implementation (gguf 0.x, numpy) rounds them; types
  /// with scales of scales as weights/codecs/fit_scale.h fits them. Null for types that Partita
  /// only reads.
  void (*quantize)(const float* values, std::size_t n, std::byte* out);

  /// Decomposes one block. Null for float types.
  void (*decompose)(const std::byte* block, QuantBlock& out);

  /// quantize() with what a squared error of each value costs: n numbers >= 0. Null for types whose blocks do
  /// not depend on it (float types, Q8_0, MXFP4).
  void (*quantize_weighted)(const float* values, const float* importance, std::size_t n,
                            std::byte* out) = nullptr;
};

/// values: n floats; importance: n numbers, or null; out: the blocks.
void quantize(const Codec& codec, const float* values, const float* importance, std::size_t n,
              std::byte* out);

// Each is defined in the file of its type.
extern const Codec kCodecF32, kCodecF16, kCodecBF16;
extern const Codec kCodecQ4_0, kCodecQ4_1, kCodecQ5_0, kCodecQ5_1, kCodecQ8_0;
extern const Codec kCodecQ2_K, kCodecQ3_K, kCodecQ4_K, kCodecQ5_K, kCodecQ6_K;
extern const Codec kCodecIQ4_NL, kCodecIQ4_XS, kCodecMXFP4, kCodecNVFP4;
extern const Codec kCodecIQ3_S, kCodecIQ3_XXS;
extern const Codec kCodecIQ2_S, kCodecIQ2_XS, kCodecIQ2_XXS;
extern const Codec kCodecIQ1_M, kCodecIQ1_S;
extern const Codec kCodecTQ1_0, kCodecTQ2_0, kCodecQ1_0, kCodecQ2_0;

/// The codec of a type; there is one for every Dtype.
const Codec& codec(Dtype dtype);

}  // namespace partita::internal
