// The element types of tensors in model files (ggml types), and their block sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace partita::internal {

/// The values are the ggml_type numbers of GGUF, so that a checked cast converts them.
enum class Dtype : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kMXFP4 = 39,
  kNVFP4 = 40,
  kQ1_0 = 41,
  kQ2_0 = 42,
};

/// The Dtype with this GGUF number, if Partita has a codec for it.
std::optional<Dtype> dtype_from_gguf(std::uint32_t number);

/// "Q4_1" and so on.
std::string_view name(Dtype dtype);

/// ggml's types have the numbers from 0 to kGgmlTypes - 1, with gaps.
inline constexpr std::uint32_t kGgmlTypes = 43;

/// "Q8_K", or the number if ggml has no such type.
std::string ggml_type_name(std::uint32_t type);

/// Elements in one block (1 for float types, 32 to 256 for quantized ones).
std::size_t block_elements(Dtype dtype);

/// Bytes of one block.
std::size_t block_bytes(Dtype dtype);

}  // namespace partita::internal
