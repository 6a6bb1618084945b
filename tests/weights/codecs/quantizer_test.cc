// How well the quantizers of all types fit values, against what tests/oracles/record_quantizers.py recorded
// of ggml, and what they make of awkward values.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/weights/files.h"
#include "weights/codecs/codec.h"

using namespace partita::internal;
using partita::internal::test::Bytes;

namespace {

constexpr Dtype kQuantized[] = {Dtype::kQ4_0,   Dtype::kQ4_1,   Dtype::kQ5_0, Dtype::kQ5_1, Dtype::kQ8_0,
                                Dtype::kQ2_K,   Dtype::kQ3_K,   Dtype::kQ4_K, Dtype::kQ5_K, Dtype::kQ6_K,
                                Dtype::kIQ4_NL, Dtype::kIQ4_XS, Dtype::kMXFP4};
constexpr std::size_t kRows = 64, kCols = 512;
constexpr double kAllowed = 1.01;  // times ggml's error

/// splitmix64 of the seed, in [0, 1).
double uniform(std::uint64_t seed) {
  std::uint64_t z = seed + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>((z ^ (z >> 31)) >> 40) / 16777216.0;
}

/// A tensor of the recording script.
struct Tensor {
  std::string name;
  std::vector<float> values;      // [kRows][kCols]
  std::vector<float> importance;  // [kCols]
};

double tensor_value(const std::string& name, double normal, std::size_t i) {
  if (name == "normal") return normal * 0.05;
  if (name == "cubed") return normal * normal * normal;
  if (name == "offset") return normal * 0.02 + 0.03;
  if (name == "columns") return normal * (i % kCols % 37 == 0 ? 16 : 1);
  return i % 11 == 0 ? normal : normal / 64;  // "sparse"
}

const std::vector<Tensor>& tensors() {
  static const std::vector<Tensor> all = [] {
    std::vector<Tensor> made;
    for (const char* name : {"normal", "cubed", "offset", "columns", "sparse"}) {
      const std::uint64_t seed = std::uint64_t{made.size()} << 32;
      Tensor tensor{name, {}, {}};
      for (std::size_t i = 0; i < kRows * kCols; ++i) {
        const std::uint64_t from = seed + 4 * i;
        const double normal = uniform(from) + uniform(from + 1) + uniform(from + 2) + uniform(from + 3) - 2;
        tensor.values.push_back(static_cast<float>(tensor_value(name, normal, i)));
      }
      for (std::size_t i = 0; i < kCols; ++i) {
        const double u = uniform(seed + (std::uint64_t{1} << 31) + i);
        tensor.importance.push_back(static_cast<float>(u * u * u * (i % 37 == 0 ? 64 : 1) + 1.0 / 64));
      }
      made.push_back(std::move(tensor));
    }
    return made;
  }();
  return all;
}

Bytes quantized_rows(Dtype dtype, const std::vector<float>& values, const float* importance = nullptr) {
  const std::size_t row = std::min(values.size(), kCols);
  const std::size_t row_bytes = row / block_elements(dtype) * block_bytes(dtype);
  Bytes blocks(values.size() / row * row_bytes, std::byte{0xA5});
  for (std::size_t r = 0; r < values.size() / row; ++r)
    quantize(codec(dtype), values.data() + r * row, importance, row, blocks.data() + r * row_bytes);
  return blocks;
}

std::vector<float> restored(Dtype dtype, const Bytes& blocks) {
  std::vector<float> values(blocks.size() / block_bytes(dtype) * block_elements(dtype),
                            std::numeric_limits<float>::quiet_NaN());
  codec(dtype).dequantize(blocks.data(), values.size(), values.data());
  return values;
}

/// The root of the weighted mean square.
double rmse(const Tensor& tensor, const std::vector<float>& found, bool weighted) {
  double errors = 0, weights = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double weight = weighted ? static_cast<double>(tensor.importance[i % kCols]) : 1;
    const double error = static_cast<double>(tensor.values[i]) - static_cast<double>(found[i]);
    errors += weight * error * error;
    weights += weight;
  }
  return std::sqrt(errors / weights);
}

double rmse_of(Dtype dtype, const Tensor& tensor, bool fit_weighted, bool measure_weighted) {
  const float* importance = fit_weighted ? tensor.importance.data() : nullptr;
  return rmse(tensor, restored(dtype, quantized_rows(dtype, tensor.values, importance)), measure_weighted);
}

}  // namespace

TEST_CASE("quantizers fit as well as ggml's") {
  const Bytes text = test::read_recorded("quantizers.json");
  const auto* first = reinterpret_cast<const char*>(text.data());
  const auto record = nlohmann::json::parse(first, first + text.size());
  REQUIRE(record.at("rows") == kRows);
  REQUIRE(record.at("cols") == kCols);
  for (const Dtype dtype : kQuantized) {
    for (const Tensor& tensor : tensors()) {
      for (const bool weighted : {false, true}) {
        CAPTURE(name(dtype), tensor.name, weighted);
        const auto& kind = record.at(weighted ? "weighted" : "plain");
        const double theirs = kind.at(std::string(name(dtype))).at(tensor.name);
        CHECK(rmse_of(dtype, tensor, weighted, weighted) <= kAllowed * theirs);
      }
    }
  }
}

TEST_CASE("importance lowers the error where it is high") {
  for (const Dtype dtype : kQuantized) {
    if (codec(dtype).quantize_weighted == nullptr) continue;
    for (const Tensor& tensor : tensors()) {
      CAPTURE(name(dtype), tensor.name);
      CHECK(rmse_of(dtype, tensor, true, true) < rmse_of(dtype, tensor, false, true));
    }
  }
}

TEST_CASE("importance that is equal or zero everywhere is as none for types that always fit") {
  const Tensor& tensor = tensors()[0];
  for (const Dtype dtype : {Dtype::kQ2_K, Dtype::kQ3_K, Dtype::kQ4_K, Dtype::kQ5_K, Dtype::kQ6_K,
                            Dtype::kIQ4_NL, Dtype::kIQ4_XS}) {
    CAPTURE(name(dtype));
    const Bytes plain = quantized_rows(dtype, tensor.values);
    for (const float same : {0.0f, 1.0f}) {
      CHECK(quantized_rows(dtype, tensor.values, std::vector<float>(kCols, same).data()) == plain);
    }
  }
}

TEST_CASE("types that do not depend on importance ignore it") {
  const Tensor& tensor = tensors()[1];
  for (const Dtype dtype : {Dtype::kQ8_0, Dtype::kMXFP4, Dtype::kF16}) {
    CHECK(quantized_rows(dtype, tensor.values, tensor.importance.data()) ==
          quantized_rows(dtype, tensor.values));
  }
}

TEST_CASE("columns without importance keep their values roughly") {
  Tensor tensor = tensors()[0];
  std::fill(tensor.importance.begin(), tensor.importance.begin() + kCols / 2, 0.0f);
  for (const Dtype dtype : kQuantized) {
    CAPTURE(name(dtype));
    CHECK(rmse_of(dtype, tensor, true, false) < 2 * rmse_of(dtype, tensor, false, false));
  }
}

TEST_CASE("equal values survive") {
  for (const float value : {1.5f, -2.25f, 3e4f, 0.1f}) {
    for (const Dtype dtype : kQuantized) {
      CAPTURE(name(dtype), value);
      const float tolerance = (dtype == Dtype::kMXFP4 ? 0.3f : 0.01f) * std::fabs(value);
      const std::vector<float> values(256, value), ones(256, 1.0f);
      for (const float* importance : std::initializer_list<const float*>{nullptr, ones.data()}) {
        for (const float found : restored(dtype, quantized_rows(dtype, values, importance)))
          CHECK(std::fabs(found - value) <= tolerance);
      }
    }
  }
}

TEST_CASE("values too small for a scale become zero") {
  std::vector<float> tiny(256, 1e-40f), ones(256, 1.0f);
  tiny[3] = -1e-41f;
  for (const Dtype dtype : kQuantized) {
    for (const float* importance : std::initializer_list<const float*>{nullptr, ones.data()}) {
      CAPTURE(name(dtype));
      for (const float value : restored(dtype, quantized_rows(dtype, tiny, importance))) CHECK(value == 0.0f);
    }
  }
}

TEST_CASE("values that are not finite are quantized without undefined behaviour") {
  const std::vector<float> ones(256, 1.0f);
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::max()}) {
    for (const std::size_t at : {0u, 17u, 255u}) {
      std::vector<float> values(256, 0.5f);
      values[at] = odd;
      for (const Dtype dtype : kQuantized) {
        const std::size_t bytes = 256 / block_elements(dtype) * block_bytes(dtype);
        CHECK(quantized_rows(dtype, values).size() == bytes);
        CHECK(quantized_rows(dtype, values, ones.data()).size() == bytes);
      }
    }
  }
}
