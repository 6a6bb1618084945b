#include "weights/codecs/dtype.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace partita::internal {
namespace {

struct Row {
  Dtype dtype;
  std::string_view name;
  std::uint16_t elements;  // of a block
  std::uint16_t bytes;     // of a block
};

constexpr Row kRows[] = {
    {Dtype::kF32, "F32", 1, 4},
    {Dtype::kF16, "F16", 1, 2},
    {Dtype::kBF16, "BF16", 1, 2},
    {Dtype::kQ4_0, "Q4_0", 32, 2 + 16},
    {Dtype::kQ4_1, "Q4_1", 32, 2 + 2 + 16},
    {Dtype::kQ5_0, "Q5_0", 32, 2 + 4 + 16},
    {Dtype::kQ5_1, "Q5_1", 32, 2 + 2 + 4 + 16},
    {Dtype::kQ8_0, "Q8_0", 32, 2 + 32},
    {Dtype::kQ2_K, "Q2_K", 256, 16 + 64 + 2 + 2},
    {Dtype::kQ3_K, "Q3_K", 256, 32 + 64 + 12 + 2},
    {Dtype::kQ4_K, "Q4_K", 256, 2 + 2 + 12 + 128},
    {Dtype::kQ5_K, "Q5_K", 256, 2 + 2 + 12 + 32 + 128},
    {Dtype::kQ6_K, "Q6_K", 256, 128 + 64 + 16 + 2},
    {Dtype::kIQ2_XXS, "IQ2_XXS", 256, 2 + 64},
    {Dtype::kIQ2_XS, "IQ2_XS", 256, 2 + 64 + 8},
    {Dtype::kIQ3_XXS, "IQ3_XXS", 256, 2 + 64 + 32},
    {Dtype::kIQ1_S, "IQ1_S", 256, 2 + 32 + 16},
    {Dtype::kIQ4_NL, "IQ4_NL", 32, 2 + 16},
    {Dtype::kIQ3_S, "IQ3_S", 256, 2 + 64 + 8 + 32 + 4},
    {Dtype::kIQ2_S, "IQ2_S", 256, 2 + 32 + 32 + 8 + 8},
    {Dtype::kIQ4_XS, "IQ4_XS", 256, 2 + 2 + 4 + 128},
    {Dtype::kIQ1_M, "IQ1_M", 256, 32 + 16 + 8},
    {Dtype::kTQ1_0, "TQ1_0", 256, 48 + 4 + 2},
    {Dtype::kTQ2_0, "TQ2_0", 256, 64 + 2},
    {Dtype::kMXFP4, "MXFP4", 32, 1 + 16},
    {Dtype::kNVFP4, "NVFP4", 64, 4 + 32},
    {Dtype::kQ1_0, "Q1_0", 128, 2 + 16},
    {Dtype::kQ2_0, "Q2_0", 64, 2 + 16},
};

/// ggml's names of the types without a codec here, by number; empty if ggml has no such type.
constexpr std::array<std::string_view, kGgmlTypes> kGgmlNames = [] {
  std::array<std::string_view, kGgmlTypes> names{};
  names[9] = "Q8_1";
  names[15] = "Q8_K";
  names[24] = "I8";
  names[25] = "I16";
  names[26] = "I32";
  names[27] = "I64";
  names[28] = "F64";
  return names;
}();

/// The row of a type. Every Dtype has one: values come only from the enumerators or from dtype_from_gguf.
const Row& row(Dtype dtype) {
  return *std::find_if(std::begin(kRows), std::end(kRows) - 1,
                       [&](const Row& r) { return r.dtype == dtype; });
}

}  // namespace

std::optional<Dtype> dtype_from_gguf(std::uint32_t number) {
  for (const Row& r : kRows) {
    if (static_cast<std::uint32_t>(r.dtype) == number) return r.dtype;
  }
  return std::nullopt;
}

std::string_view name(Dtype dtype) { return row(dtype).name; }

std::string ggml_type_name(std::uint32_t type) {
  if (const auto dtype = dtype_from_gguf(type)) return std::string(name(*dtype));
  const bool known = type < kGgmlNames.size() && !kGgmlNames[type].empty();
  return known ? std::string(kGgmlNames[type]) : std::to_string(type);
}

std::size_t block_elements(Dtype dtype) { return row(dtype).elements; }

std::size_t block_bytes(Dtype dtype) { return row(dtype).bytes; }

}  // namespace partita::internal
