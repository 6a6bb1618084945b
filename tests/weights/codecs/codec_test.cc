// Every codec against blocks and values recorded by tests/oracles/record_codecs.py.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/weights/files.h"
#include "weights/codecs/codec.h"

using namespace partita;

using namespace partita::internal;
using partita::internal::test::Bytes;

namespace {

constexpr Dtype kAll[] = {Dtype::kF32,    Dtype::kF16,     Dtype::kBF16,  Dtype::kQ4_0,    Dtype::kQ4_1,
                          Dtype::kQ5_0,   Dtype::kQ5_1,    Dtype::kQ8_0,  Dtype::kQ4_K,    Dtype::kQ5_K,
                          Dtype::kQ6_K,   Dtype::kMXFP4,   Dtype::kQ2_K,  Dtype::kQ3_K,    Dtype::kIQ4_NL,
                          Dtype::kIQ4_XS, Dtype::kNVFP4,   Dtype::kIQ3_S, Dtype::kIQ3_XXS, Dtype::kIQ2_S,
                          Dtype::kIQ2_XS, Dtype::kIQ2_XXS, Dtype::kIQ1_S, Dtype::kIQ1_M,   Dtype::kTQ1_0,
                          Dtype::kTQ2_0,  Dtype::kQ1_0,    Dtype::kQ2_0};
/// Types that round as the recorded package does; quantizer_test.cc has the others.
constexpr Dtype kRecorded[] = {Dtype::kQ4_0, Dtype::kQ4_1, Dtype::kQ5_0,
                               Dtype::kQ5_1, Dtype::kQ8_0, Dtype::kMXFP4};

const nlohmann::json& record() {
  static const nlohmann::json parsed = [] {
    const Bytes text = test::read_recorded("codecs.json");
    const auto* first = reinterpret_cast<const char*>(text.data());
    return nlohmann::json::parse(first, first + text.size());
  }();
  return parsed;
}

Bytes from_hex(const std::string& hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::vector<float> as_floats(const Bytes& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// Bit for bit; an output that was never written stays NaN and differs.
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<float> dequantize(Dtype dtype, const Bytes& blocks) {
  const std::size_t n = blocks.size() / block_bytes(dtype) * block_elements(dtype);
  std::vector<float> values(n, std::numeric_limits<float>::quiet_NaN());
  codec(dtype).dequantize(blocks.data(), n, values.data());
  return values;
}

Bytes quantize(Dtype dtype, const std::vector<float>& values) {
  Bytes blocks(values.size() / block_elements(dtype) * block_bytes(dtype), std::byte{0xA5});
  codec(dtype).quantize(values.data(), values.size(), blocks.data());
  return blocks;
}

/// The formula of weights/codecs/codec.h, implemented a second time from the fields of a block.
float value_of(const QuantLayout& layout, const QuantBlock& block, int i) {
  const int g = i / layout.group;
  const int level = layout.codebook != nullptr ? layout.codebook->at(block.q[i]) : block.q[i] - layout.offset;
  const auto q = static_cast<float>(level);
  const float d = f16_to_f32(block.d);
  const float m = f16_to_f32(block.m);
  switch (layout.scale) {
    case ScaleKind::kF16:
      return d * q;
    case ScaleKind::kF16Min:
      return d * q + m;
    case ScaleKind::kSuper:
    case ScaleKind::kSuperU4:
      return (d * block.sc[g]) * q - m * block.mn[g];
    case ScaleKind::kSuperI8:
      return layout.factor * (d * block.sc[g]) * q;
    case ScaleKind::kE8M0:
      return std::ldexp(q, block.d - 128);
    case ScaleKind::kUE4M3: {
      const int exponent = block.sc[g] >> 3, fraction = block.sc[g] & 7;
      return q * (exponent == 0 ? std::ldexp(fraction, -10) : std::ldexp(8 + fraction, exponent - 11));
    }
    case ScaleKind::kNone:
      break;
  }
  return std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

TEST_CASE("there is a codec for every type, and it matches the table row") {
  for (const Dtype dtype : kAll) {
    CAPTURE(name(dtype));
    const Codec& format = codec(dtype);
    CHECK(format.dtype == dtype);
    CHECK(dtype_from_gguf(static_cast<std::uint32_t>(dtype)) == dtype);
    CHECK(static_cast<std::size_t>(format.layout.block) == block_elements(dtype));
    CHECK((format.layout.scale == ScaleKind::kNone) == (block_elements(dtype) == 1));
    CHECK((format.decompose == nullptr) == (format.layout.scale == ScaleKind::kNone));
  }
  for (const Dtype dtype : kRecorded) CHECK(codec(dtype).quantize != nullptr);
  for (const std::uint32_t number : {4u, 5u, 9u, 15u, 24u, 28u, 31u, 36u, 43u, 0xffffffffu}) {
    CHECK_FALSE(dtype_from_gguf(number).has_value());
  }
}

TEST_CASE("recorded blocks dequantize bit for bit") {
  for (const Dtype dtype : kAll) {
    if (block_elements(dtype) == 1) continue;  // F32, F16 and BF16 have their own tests
    CAPTURE(name(dtype));
    const auto& cases = record().at("dequantize").at(std::string(name(dtype)));
    REQUIRE(cases.size() == 12);
    Bytes all;
    std::vector<float> expected;
    for (const auto& one : cases) {
      const Bytes block = from_hex(one.at("block"));
      const std::vector<float> values = as_floats(from_hex(one.at("values")));
      REQUIRE(block.size() == block_bytes(dtype));
      REQUIRE(values.size() == block_elements(dtype));
      CHECK(same_bits(dequantize(dtype, block), values));
      all.insert(all.end(), block.begin(), block.end());
      expected.insert(expected.end(), values.begin(), values.end());
    }
    CHECK(same_bits(dequantize(dtype, all), expected));  // several blocks in one call
  }
}

TEST_CASE("recorded values quantize bit for bit") {
  for (const Dtype dtype : kRecorded) {
    const auto& cases = record().at("quantize").at(std::string(name(dtype)));
    REQUIRE(cases.size() == 25);
    Bytes all;
    std::vector<float> values;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      CAPTURE(name(dtype), i);
      const std::vector<float> row = as_floats(from_hex(cases[i].at("values")));
      const Bytes block = from_hex(cases[i].at("block"));
      CHECK(quantize(dtype, row) == block);
      all.insert(all.end(), block.begin(), block.end());
      values.insert(values.end(), row.begin(), row.end());
    }
    CHECK(quantize(dtype, values) == all);
  }
  for (const Dtype dtype : {Dtype::kF16, Dtype::kBF16}) {
    CAPTURE(name(dtype));
    const auto& one = record().at("quantize").at(std::string(name(dtype))).at(0);
    const std::vector<float> values = as_floats(from_hex(one.at("values")));
    REQUIRE(values.size() > 200);
    CHECK(quantize(dtype, values) == from_hex(one.at("block")));
  }
}

TEST_CASE("a decomposed block gives the same values") {
  for (const Dtype dtype : kAll) {
    const Codec& format = codec(dtype);
    if (format.decompose == nullptr) continue;
    for (const auto& one : record().at("dequantize").at(std::string(name(dtype)))) {
      CAPTURE(name(dtype));
      QuantBlock parts;
      format.decompose(from_hex(one.at("block")).data(), parts);
      std::vector<float> values;
      for (int i = 0; i < format.layout.block; ++i) {
        CHECK(parts.q[i] >> format.layout.bits == 0);
        values.push_back(value_of(format.layout, parts, i));
      }
      CHECK(same_bits(values, as_floats(from_hex(one.at("values")))));
    }
  }
}

TEST_CASE("a codebook repeats after the values of its bits") {
  for (const Dtype dtype : kAll) {
    const QuantLayout& layout = codec(dtype).layout;
    if (layout.codebook == nullptr) continue;
    CAPTURE(name(dtype));
    REQUIRE(layout.bits <= 4);
    for (std::size_t i = 0; i < 16; ++i)
      CHECK(layout.codebook->at(i) == layout.codebook->at(i % (std::size_t{1} << layout.bits)));
  }
}

TEST_CASE("F32 is a copy") {
  const std::vector<float> values = {0.0f, -0.0f, 1e-45f, 3e38f, -1.5f};
  CHECK(same_bits(dequantize(Dtype::kF32, quantize(Dtype::kF32, values)), values));
  codec(Dtype::kF32).dequantize(nullptr, 0, nullptr);
  codec(Dtype::kF32).quantize(nullptr, 0, nullptr);
}

TEST_CASE("blocks may be at any address") {
  for (const Dtype dtype : kAll) {
    CAPTURE(name(dtype));
    Bytes blocks(3 * block_bytes(dtype), std::byte{0x35});
    const std::vector<float> expected = dequantize(dtype, blocks);
    blocks.insert(blocks.begin(), std::byte{0});
    std::vector<float> found(expected.size());
    codec(dtype).dequantize(blocks.data() + 1, found.size(), found.data());
    CHECK(same_bits(found, expected));
  }
}
