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

void write_sums(const std::string& path, const std::vector<float>& sums, const std::vector<float>& counts,
                std::string_view tensor = "blk.0.ffn_up_exps.weight", std::uint64_t chunks = 5) {
  must(GgufWriter()
           .add("general.type", kImportanceType)
           .add(kDatasetsKey, std::vector<std::string>{"a text"})
           .add(kChunkCountKey, chunks)
           .add_tensor(sentence(tensor, kSumsSuffix), Dtype::kF32,
                       {counts.size(), sums.size() / counts.size()}, sums)
           .add_tensor(sentence(tensor, kCountsSuffix), Dtype::kF32, {counts.size(), 1}, counts)
           .write(path)
           .ok(),
       "the importance was not written");
}

void write_importance(const std::string& path, const std::vector<float>& counts) {
  std::vector<float> sums = mean_squares();
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] *= counts[i / kCols];
  write_sums(path, sums, counts);
}

/// The message with which quantizing to Q4_0 with the importance file is refused.
std::string refusal(const Paths& paths, QuantizeOptions options = {}) {
  if (options.type == QuantizeOptions().type) options.type = "Q4_0";
  const auto refused = partita::quantize(paths.from, paths.to, options);
  CHECK_FALSE(refused);
  CHECK_FALSE(std::filesystem::exists(paths.to));
  return refused ? "" : refused.error().message;
}

std::string refusal_of_importance(const Paths& paths) {
  QuantizeOptions options;
  options.importance = paths.importance;
  return refusal(paths, options);
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
  const std::vector<float> means = mean_squares();  // 4 on average, almost
  for (std::size_t i = 0; i < columns.size(); ++i) CHECK(columns[i] == (i < kCols ? means[i] / 2 : 1));
}

TEST_CASE("every leading dimension counts matrices of importance") {
  const Paths paths;
  must(GgufWriter()
           .add("general.architecture", "llama")
           .add_tensor("blk.0.ffn_up_exps.weight", Dtype::kF32, {kRows, kMatrices, 1, kCols}, stack())
           .write(paths.from)
           .ok(),
       "the model was not written");
  write_importance(paths.importance, {8, 2});
  CHECK_THAT(refusal_of_importance(paths), Contains("128 columns") && Contains("which has 384"));
  std::vector<float> sums;
  for (std::size_t i = 0; i < kRows; ++i) {
    for (const float mean : mean_squares()) sums.push_back(mean);
  }
  write_sums(paths.importance, sums, std::vector<float>(kRows * kMatrices, 1));
  QuantizeOptions options;
  options.importance = paths.importance;
  options.type = "Q4_0";
  CHECK(partita::quantize(paths.from, paths.to, options));
}

TEST_CASE("large importance is as good as the same scaled") {
  const Paths paths;
  write_model(paths.from, stack());
  std::vector<float> sums = mean_squares();
  for (float& sum : sums) sum = std::ldexp(sum, 122);
  write_sums(paths.importance, sums, {1, 1});
  QuantizeOptions options;
  options.importance = paths.importance;
  options.type = "Q4_0";
  must(partita::quantize(paths.from, paths.to, options));
  const Gguf file = must(Gguf::open(paths.to));
  CHECK(bytes_of(file, file.tensors()[0]) == expected(mean_squares().data()));
}

TEST_CASE("importance that cannot be used is refused") {
  const Paths paths;
  write_model(paths.from, stack());
  write_sums(paths.importance, std::vector<float>(kMatrices * kCols, 1e38f), {1, 1e-3f});
  CHECK_THAT(refusal_of_importance(paths), Contains("ffn_up_exps.weight.in_sum2") && Contains("0.001"));
  write_sums(paths.importance, mean_squares(), {1, 1}, "other.weight");
  CHECK_THAT(refusal_of_importance(paths), Contains("another model"));
  write_sums(paths.importance, mean_squares(), {1, 1}, "blk.0.ffn_up_exps.weight",
             (std::uint64_t{1} << 32) + 7);
  CHECK_THAT(refusal_of_importance(paths), Contains("4294967303") && Contains("4294967295"));
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

TEST_CASE("values that a type cannot hold are refused") {
  const Paths paths;
  QuantizeOptions options;
  for (const char* type :
       {"F16", "Q4_0", "Q4_1", "Q8_0", "IQ4_NL", "Q2_K", "Q3_K", "Q4_K", "Q6_K", "IQ4_XS"}) {
    CAPTURE(type);
    options.tensor_types = {{"ffn_up", type}};
    for (const float scale : {1e12f, 1e21f, 1e30f}) {
      std::vector<float> values = waves(4 * 256, 0.7);
      for (float& value : values) value *= scale;
      must(GgufWriter()
               .add("general.architecture", "llama")
               .add_tensor("blk.0.ffn_up.weight", Dtype::kF32, {4, 256}, values)
               .write(paths.from)
               .ok(),
           "the model was not written");
      CHECK_THAT(refusal(paths, options),
                 Contains("blk.0.ffn_up.weight") && Contains("row 0, column 1,") &&
                     Contains(sentence("too large for ", type, ", whose limit is ")));
    }
  }
}

TEST_CASE("a minimum that a type cannot hold is refused") {
  const Paths paths;
  std::vector<float> values = waves(4 * 256, 0.7);
  for (float& value : values) value = -3e7f + 1e6f * value;  // a block of Q4_K reaches down to -4.1e6
  must(GgufWriter()
           .add("general.architecture", "llama")
           .add_tensor("blk.0.ffn_up.weight", Dtype::kF32, {4, 256}, values)
           .write(paths.from)
           .ok(),
       "the model was not written");
  QuantizeOptions options;
  options.tensor_types = {{"ffn_up", "Q4_K"}};
  CHECK_THAT(refusal(paths, options),
             Contains("in row 0") && Contains("Q4_K with the other values of its block"));
}

TEST_CASE("options that fit no model are refused") {
  const Paths paths;
  write_model(paths.from, stack());
  QuantizeOptions options;
  options.tensor_types = {{"ffn_up", "Q8_0"}, {"nosuch", "Q8_0"}};
  CHECK_THAT(refusal(paths, options), Contains("no tensor that is quantized has 'nosuch' in its name"));
  options.tensor_types.clear();
  options.threads = 5000;
  CHECK_THAT(refusal(paths, options), Contains("threads is 5000"));
}

TEST_CASE("numbers of layers beyond 32 bits are large") {
  const Paths paths;
  const std::vector<float> values = waves(4 * 256, 0.7);
  GgufWriter model;
  model.add("general.architecture", "llama").add("llama.block_count", (std::uint64_t{1} << 32) + 8);
  for (const char* name : {"blk.0.ffn_down.weight", "blk.1.ffn_down.weight"})
    model.add_tensor(name, Dtype::kF32, {4, 256}, values);
  must(model.write(paths.from).ok(), "the model was not written");
  const auto result = must(partita::quantize(paths.from, paths.to));
  CHECK(result.types.at("Q6_K") == 2);  // both are in the first eighth
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
