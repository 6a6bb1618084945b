// Quantizing whole files: importance of stacked matrices, metadata, refusals.
#include "partita/quantize.hpp"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "api/quantize/importance.h"
#include "tests/catch.h"
#include "tests/must.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/writer.h"
#include "weights/sentence.h"

namespace partita::internal::testing {
namespace {

using Catch::Matchers::Contains;
constexpr std::size_t kMatrices = 2, kRows = 3, kCols = 64;

/// Paths that are removed at the end.
struct Paths {
  std::string from = path("from"), to = path("to"), importance = path("importance");
  ~Paths() {
    for (const std::string& one : {from, to, importance}) std::filesystem::remove(one);
  }
  static std::string path(const char* name) {
    return (std::filesystem::temp_directory_path() / sentence("quantize-", ::getpid(), "-", name)).string();
  }
};

std::vector<float> waves(std::size_t count, double step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(std::sin(step * static_cast<double>(i * i)));
  return values;
}

std::vector<float> stack() { return waves(kMatrices * kRows * kCols, 0.7); }

void write_model(const std::string& path, const std::vector<float>& values) {
  must(GgufWriter()
           .add("general.architecture", "llama")
           .add("general.file_type", 1u)
           .add("quantize.imatrix.file", "an older one")
           .add("some.flag", true)
           .add_tensor("blk.0.ffn_up_exps.weight", Dtype::kF32, {kMatrices, kRows, kCols}, values)
           .write(path)
           .ok(),
       "the model was not written");
}

/// Mean squares 1, 2, ... 7, 1 ... of the first matrix, and those of the second reversed.
std::vector<float> mean_squares() {
  std::vector<float> means;
  for (std::size_t i = 0; i < kCols; ++i) means.push_back(static_cast<float>(1 + i % 7));
  means.insert(means.end(), means.rbegin(), means.rend());
  return means;
}

void write_importance(const std::string& path, std::vector<float> counts) {
  std::vector<float> sums = mean_squares();
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] *= counts[i / kCols];
  must(GgufWriter()
           .add("general.type", kImportanceType)
           .add(kDatasetsKey, std::vector<std::string>{"a text"})
           .add(kChunkCountKey, 5u)
           .add_tensor("blk.0.ffn_up_exps.weight.in_sum2", Dtype::kF32, {kMatrices, kCols}, sums)
           .add_tensor("blk.0.ffn_up_exps.weight.counts", Dtype::kF32, {kMatrices, 1}, counts)
           .write(path)
           .ok(),
       "the importance was not written");
}

std::vector<std::byte> bytes_of(const Gguf& file, const TensorView& tensor) {
  std::vector<std::byte> buffer;
  const auto bytes = must(file.read(tensor.bytes, buffer));
  return {bytes.begin(), bytes.end()};
}

/// The stack in Q4_0 with this importance of each matrix, or none.
std::vector<std::byte> expected(const float* importance) {
  const std::vector<float> values = stack();
  const std::size_t row_bytes = kCols / 32 * block_bytes(Dtype::kQ4_0);
  std::vector<std::byte> blocks(kMatrices * kRows * row_bytes);
  for (std::size_t r = 0; r < kMatrices * kRows; ++r) {
    const float* of_row = importance == nullptr ? nullptr : importance + r / kRows * kCols;
    quantize(codec(Dtype::kQ4_0), values.data() + r * kCols, of_row, kCols, blocks.data() + r * row_bytes);
  }
  return blocks;
}

}  // namespace

TEST_CASE("each matrix of a stack has its own importance") {
  const Paths paths;
  write_model(paths.from, stack());
  QuantizeOptions options;
  options.type = "q4_0";
  const auto plain = must(partita::quantize(paths.from, paths.to, options));
  {
    const Gguf file = must(Gguf::open(paths.to));
    CHECK(bytes_of(file, file.tensors()[0]) == expected(nullptr));
    CHECK(must(file.get_string("quantize.imatrix.file")) == "an older one");
    CHECK(must(file.get_bool("some.flag")));
    CHECK(must(file.get_uint("general.file_type")) == 2);
  }
  write_importance(paths.importance, {8, 2});
  options.importance = paths.importance;
  const auto weighted = must(partita::quantize(paths.from, paths.to, options));
  const Gguf file = must(Gguf::open(paths.to));
  CHECK(bytes_of(file, file.tensors()[0]) == expected(mean_squares().data()));
  CHECK(must(file.get_string("quantize.imatrix.file")) == paths.importance);
  CHECK(must(file.get_string("quantize.imatrix.dataset")) == "a text");
  CHECK(plain.error.at("Q4_0") > 0);
  CHECK(weighted.error.at("Q4_0") > 0);
  CHECK(weighted.without_importance.empty());
}

TEST_CASE("a matrix that no row has reached has equal importance") {
  const Paths paths;
  write_importance(paths.importance, {4, 0});
  const Importance importance = must(Importance::open(paths.importance));
  const std::vector<float>& columns = importance.columns.at("blk.0.ffn_up_exps.weight");
  const std::vector<float> means = mean_squares();
  for (std::size_t i = 0; i < columns.size(); ++i) CHECK(columns[i] == (i < kCols ? means[i] : 1));
}

TEST_CASE("values that are not finite are refused, and there is no file") {
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const Paths paths;
    std::vector<float> values = stack();
    values[kCols + 5] = odd;
    write_model(paths.from, values);
    for (const char* type : {"Q4_0", "Q4_K_M", "F16"}) {
      QuantizeOptions options;
      options.type = type;
      const auto refused = partita::quantize(paths.from, paths.to, options);
      REQUIRE_FALSE(refused);
      CHECK(refused.error().code == ErrorCode::kBadNumbers);
      CHECK_THAT(refused.error().message, Contains("blk.0.ffn_up_exps.weight") && Contains("not finite"));
      CHECK_FALSE(std::filesystem::exists(paths.to));
    }
  }
}

TEST_CASE("quantizing can be stopped") {
  const Paths paths;
  write_model(paths.from, stack());
  QuantizeOptions options;
  options.progress = [](float) { return false; };
  const auto stopped = partita::quantize(paths.from, paths.to, options);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == ErrorCode::kCancelled);
  CHECK_FALSE(std::filesystem::exists(paths.to));
}

}  // namespace partita::internal::testing
