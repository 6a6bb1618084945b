// Files written by the gguf package (tests/oracles/record_codecs.py), read back value by value.
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/weights/files.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/gguf.h"

using namespace partita;

using namespace partita::internal;
using partita::internal::test::Bytes;

namespace {

/// The recorded tensors all hold (element number) / 8 - 4; quantized ones within half a step.
void check_ramp(const TensorView& tensor, double tolerance) {
  CAPTURE(tensor.name);
  std::vector<float> values(tensor.shape.elements());
  codec(tensor.dtype).dequantize(tensor.bytes.data(), values.size(), values.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(std::fabs(values[i] - (static_cast<double>(i) / 8 - 4)) <= tolerance);
  }
}

void check_scalars(const Gguf& file) {
  CHECK(file.get_string("general.architecture").value() == "llama");
  CHECK(file.get_uint("t.u8").value() == 200);
  CHECK(std::get<std::int64_t>(*file.find("t.i8")) == -100);
  CHECK(file.get_uint("t.u16").value() == 60000);
  CHECK(std::get<std::int64_t>(*file.find("t.i16")) == -30000);
  CHECK(file.get_uint("t.u32").value() == 4000000000u);
  CHECK(std::get<std::int64_t>(*file.find("t.i32")) == -2000000000);
  CHECK(file.get_uint("t.u64").value() == (std::uint64_t{1} << 63) + 5);
  CHECK(std::get<std::int64_t>(*file.find("t.i64")) == -(std::int64_t{1} << 62));
  CHECK(file.get_float("t.f32").value() == double{0.1f});
  CHECK(file.get_float("t.f64").value() == 0.1);
  CHECK(file.get_bool("t.yes").value());
  CHECK_FALSE(file.get_bool("t.no").value());
  CHECK(file.get_string("t.text").value() == "na\u00efve \u732b");
}

void check_arrays(const Gguf& file) {
  const GgufArray& strings = *file.get_array("t.strings").value();
  REQUIRE(strings.size() == 4);
  CHECK(strings.type() == GgufType::kString);
  CHECK(strings.string_at(0) == "one");
  CHECK(strings.string_at(1) == "");
  CHECK(strings.string_at(2) == "\u2581two");
  CHECK(strings.string_at(3) == "three");
  CHECK_FALSE(strings.string_at(4).has_value());
  CHECK_FALSE(strings.uint_at(0).has_value());

  const GgufArray& ints = *file.get_array("t.ints").value();
  REQUIRE(ints.size() == 3);
  CHECK(ints.type() == GgufType::kInt32);
  CHECK(ints.int_at(0) == -1);
  CHECK_FALSE(ints.uint_at(0).has_value());
  CHECK(ints.uint_at(2) == 7u);
  CHECK_FALSE(ints.float_at(2).has_value());

  const GgufArray& floats = *file.get_array("t.floats").value();
  REQUIRE(floats.size() == 2);
  CHECK(floats.float_at(1) == -1.25);
  CHECK_FALSE(floats.int_at(1).has_value());

  const GgufArray& bools = *file.get_array("t.bools").value();
  REQUIRE(bools.size() == 3);
  CHECK(bools.bool_at(1) == false);
  CHECK(bools.bool_at(2) == true);
  CHECK_FALSE(bools.bool_at(3).has_value());
  CHECK_FALSE(bools.uint_at(0).has_value());
}

void check_tensors(const Gguf& file) {
  REQUIRE(file.tensors().size() == 9);
  CHECK(file.tensors()[0].name == "f32.1d");
  CHECK(file.tensors()[0].shape.size() == 1);
  check_ramp(file.tensor("f32.1d", {32}).value(), 0);
  check_ramp(file.tensor("f32.4d", {2, 1, 4, 8}).value(), 0);
  check_ramp(file.tensor("f16.2d", {2, 32}).value(), 0);
  check_ramp(file.tensor("bf16.2d", {2, 32}).value(), 0);
  check_ramp(file.tensor("q4_0.2d", {2, 32}).value(), 0.51);
  check_ramp(file.tensor("q4_1.2d", {2, 32}).value(), 0.14);
  check_ramp(file.tensor("q5_0.2d", {2, 32}).value(), 0.26);
  check_ramp(file.tensor("q5_1.2d", {2, 32}).value(), 0.07);
  check_ramp(file.tensor("q8_0.2d", {2, 32}).value(), 0.02);
  for (const TensorView& tensor : file.tensors()) {
    CHECK(tensor.bytes.size() ==
          tensor.shape.elements() / block_elements(tensor.dtype) * block_bytes(tensor.dtype));
  }
}

}  // namespace

TEST_CASE("a version 3 file of the gguf package reads back") {
  const Bytes bytes = test::read_recorded("golden.gguf");
  const Result<Gguf> file = Gguf::parse(bytes, "golden");
  REQUIRE(file.ok());
  CHECK(file->version() == 3);
  CHECK(file->file_bytes() == bytes.size());
  CHECK(file->path() == "golden");
  CHECK(file->metadata().size() == 18);
  CHECK(file->metadata()[1].key == "t.u8");
  check_scalars(*file);
  check_arrays(*file);
  check_tensors(*file);
}

TEST_CASE("version 2 has the same layout") {
  Bytes bytes = test::read_recorded("golden.gguf");
  bytes[4] = std::byte{2};
  const Result<Gguf> file = Gguf::parse(bytes, "golden");
  REQUIRE(file.ok());
  CHECK(file->version() == 2);
  check_scalars(*file);
  check_tensors(*file);
}

TEST_CASE("an alignment other than 32 is respected") {
  const Bytes bytes = test::read_recorded("golden_align64.gguf");
  const Result<Gguf> file = Gguf::parse(bytes, "golden");
  REQUIRE(file.ok());
  CHECK(file->get_uint("general.alignment").value() == 64);
  for (const TensorView& tensor : file->tensors()) CHECK((tensor.bytes.data() - bytes.data()) % 64 == 0);
  check_tensors(*file);
}

TEST_CASE("a big-endian file is refused by name") {
  const Bytes bytes = test::read_recorded("golden_big_endian.gguf");
  const Result<Gguf> file = Gguf::parse(bytes, "golden");
  REQUIRE_FALSE(file.ok());
  CHECK(file.error().code == ErrorCode::kUnsupported);
  CHECK(file.error().message ==
        "'golden' is a big-endian GGUF file, and only little-endian ones can be read; convert it with "
        "gguf_convert_endian.py, or download the little-endian file");
}

TEST_CASE("SmolLM2 opens with its known contents") {
  const auto path = test::find_model("SmolLM2-135M-Instruct.Q4_1.gguf");
  INFO("scripts/fetch-model fetches it");
  REQUIRE(path);
  const Result<Gguf> file = Gguf::open_whole(*path);
  REQUIRE(file.ok());
  CHECK(file->tensors().size() == 272);
  CHECK(file->get_uint("llama.block_count").value() == 30);
  const GgufArray& tokens = *file->get_array("tokenizer.ggml.tokens").value();
  REQUIRE(tokens.size() == 49152);
  CHECK(tokens.string_at(1) == "<|im_start|>");
  CHECK(tokens.string_at(49151).has_value());
  CHECK(file->tensor("blk.29.ffn_down.weight", {576, 1536}).ok());
}

TEST_CASE("Gemma 3 opens with its known contents", "[gemma]") {
  const auto path = test::find_model("gemma-3-270m-q4_k_m.gguf");
  if (!path) {
    WARN("skipped: gemma-3-270m-q4_k_m.gguf is not in models/");  // tests/CMakeLists.txt looks for this
    return;
  }
  const Result<Gguf> file = Gguf::open_whole(*path);
  REQUIRE(file.ok());
  CHECK(file->tensors().size() == 236);
  CHECK(file->get_array("tokenizer.ggml.scores").value()->size() == 262144);
  CHECK(file->tensor("token_embd.weight", {262144, 640}).ok());
}
