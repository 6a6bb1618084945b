// Round trips through the GGUF writer and reader; errors of the writer.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/must.h"
#include "tests/weights/files.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"

using namespace partita;

using namespace partita::internal;
using partita::internal::test::Bytes;
using partita::internal::testing::must;

namespace {

void check_error(const GgufWriter& writer, ErrorCode code, const std::string& message) {
  const auto bytes = writer.bytes();
  REQUIRE_FALSE(bytes.ok());
  CHECK(bytes.error().code == code);
  CHECK(bytes.error().message == message);
  const auto written = writer.write("/nonexistent/never");
  REQUIRE_FALSE(written.ok());
  CHECK(written.error().message == message);
}

const std::vector<float> kFour = {1, 2, 3, 4};

}  // namespace

TEST_CASE("every type of value comes back") {
  GgufWriter writer;
  writer.add("b", true).add("i32", std::int32_t{-7}).add("u32", std::uint32_t{7});
  writer.add("i64", std::numeric_limits<std::int64_t>::min())
      .add("u64", std::numeric_limits<std::uint64_t>::max());
  writer.add("f32", 0.1f).add("f64", 0.1).add("c", "chars").add("sv", std::string_view("a\0b", 3));
  writer.add("s", std::string("string"));
  writer.add("as", std::vector<std::string>{"", "x"}).add("ab", std::vector<bool>{true, false});
  writer.add("ai", std::vector<std::int32_t>{-1}).add("au", std::vector<std::uint32_t>{4000000000u});
  writer.add("af", std::vector<float>{});
  const Bytes bytes = writer.bytes().value();
  const Gguf file = Gguf::parse(bytes, "m").value();
  CHECK(file.version() == 3);
  CHECK(file.metadata().size() == 15);
  CHECK(file.tensors().empty());
  CHECK(file.get_bool("b").value());
  CHECK(std::get<std::int64_t>(*file.find("i32")) == -7);
  CHECK(file.get_uint("u32").value() == 7);
  CHECK(std::get<std::int64_t>(*file.find("i64")) == std::numeric_limits<std::int64_t>::min());
  CHECK(file.get_uint("u64").value() == std::numeric_limits<std::uint64_t>::max());
  CHECK(file.get_float("f32").value() == double{0.1f});
  CHECK(file.get_float("f64").value() == 0.1);
  CHECK(file.get_string("c").value() == "chars");
  CHECK(file.get_string("sv").value() == std::string_view("a\0b", 3));
  CHECK(file.get_string("s").value() == "string");
  CHECK(file.get_array("as").value()->string_at(1) == "x");
  CHECK(file.get_array("ab").value()->bool_at(1) == false);
  CHECK(file.get_array("ai").value()->int_at(0) == -1);
  CHECK(file.get_array("au").value()->uint_at(0) == 4000000000u);
  CHECK(file.get_array("af").value()->size() == 0);
}

TEST_CASE("tensors come back, quantized or as blocks, on disk too") {
  std::vector<float> values(2 * 3 * 32);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  const Bytes blocks(2 * block_bytes(Dtype::kQ6_K), std::byte{0x21});
  GgufWriter writer;
  writer.add_tensor("odd", Dtype::kF32, {1}, std::vector<float>{5});
  writer.add_tensor("q8", Dtype::kQ8_0, {2, 3, 32}, values).add_tensor("q6", Dtype::kQ6_K, {2, 256}, blocks);

  const test::TemporaryFile target(Bytes(1));
  REQUIRE(writer.write(target.path()).ok());
  const Result<Gguf> file = Gguf::open_whole(target.path());
  REQUIRE(file.ok());
  CHECK(file->file_bytes() == writer.bytes().value().size());
  CHECK(file->path() == target.path());

  const TensorView q8 = file->tensor("q8", {2, 3, 32}).value();
  std::vector<float> found(values.size());
  codec(q8.dtype).dequantize(q8.bytes.data(), found.size(), found.data());
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(found[i] == Approx(values[i]).margin(0.005));
  const TensorView q6 = file->tensor("q6", {2, 256}).value();
  CHECK(q6.dtype == Dtype::kQ6_K);
  CHECK(Bytes(q6.bytes.begin(), q6.bytes.end()) == blocks);
}

TEST_CASE("metadata that cannot be written is named") {
  const auto code = ErrorCode::kInvalidArgument;
  check_error(GgufWriter().add("k", 1).add("k", 2), code, "metadata key 'k' is added twice");
  check_error(GgufWriter().add("", 1), code, "a metadata key has 0 bytes, and 1 to 65535 are allowed");
  check_error(GgufWriter().add(std::string(65536, 'k'), 1), code,
              "a metadata key has 65536 bytes, and 1 to 65535 are allowed");
  check_error(GgufWriter().add("general.alignment", 64u), code,
              "metadata key 'general.alignment' cannot be set: the writer always aligns to 32 bytes");
}

TEST_CASE("tensors that cannot be written are named, the first mistake first") {
  const auto code = ErrorCode::kInvalidArgument;
  check_error(GgufWriter().add_tensor("w", Dtype::kF32, {2, 3}, kFour).add("", 1), code,
              "tensor 'w' is given 4 values, and its shape needs 6");
  check_error(GgufWriter().add_tensor("w", Dtype::kQ4_0, {4}, kFour), code,
              "tensor 'w' has rows of 4 elements, which is not a multiple of the block of 32 of type Q4_0");
  check_error(GgufWriter().add_tensor("w", Dtype::kQ4_0, {32}, Bytes(17)), code,
              "tensor 'w' is given 17 bytes, and its shape needs 1 blocks of 18");
  check_error(GgufWriter().add_tensor("w", Dtype::kF32, std::vector<std::uint64_t>{}, kFour), code,
              "tensor 'w' has 0 dimensions, and 1 to 4 are allowed");
  check_error(GgufWriter().add_tensor("w", Dtype::kF32, {1, 1, 1, 1, 4}, kFour), code,
              "tensor 'w' has 5 dimensions, and 1 to 4 are allowed");
  check_error(GgufWriter().add_tensor("w", Dtype::kF32, {0, 4}, kFour), code,
              "tensor 'w' has dimension 0, and dimensions are at least 1 with a product below 2^63");
  check_error(
      GgufWriter().add_tensor("w", Dtype::kF32, {4, std::uint64_t{1} << 62}, kFour), code,
      "tensor 'w' has dimension 4611686018427387904, and dimensions are at least 1 with a product below "
      "2^63");
  check_error(GgufWriter().add_tensor("w", Dtype::kF32, {4}, kFour).add_tensor("w", Dtype::kF32, {4}, kFour),
              code, "tensor 'w' is added twice");
  check_error(GgufWriter().add_tensor("", Dtype::kF32, {4}, kFour), code,
              "a tensor name has 0 bytes, and 1 to 65535 are allowed");
}

TEST_CASE("a path that cannot be written is named") {
  const auto written = GgufWriter().add("k", 1).write("/nonexistent/file.gguf");
  REQUIRE_FALSE(written.ok());
  CHECK(written.error().code == ErrorCode::kIo);
  CHECK(written.error().message == "cannot write \"/nonexistent/file.gguf\": No such file or directory");
}

namespace {

/// Bytes that count on, so that each place has its own.
TensorSource counting() {
  return [](std::uint64_t first, std::span<std::byte> rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::byte>((first + i) % 251);
    return Result<void>();
  };
}

Bytes counted(std::size_t size) {
  Bytes bytes(size);
  REQUIRE(counting()(0, bytes).ok());
  return bytes;
}

const std::vector<std::uint64_t> kSmall = {5}, kLarge = {3, 1000, 256};  // the larger has 3 MB

}  // namespace

TEST_CASE("a tensor is asked for in whole rows while the file is written") {
  std::size_t most = 0, asked = 0;
  const auto source = [&](std::uint64_t first, std::span<std::byte> rows) {
    CHECK(first == asked);
    CHECK(rows.size() % 1024 == 0);
    most = std::max(most, rows.size());
    asked += rows.size();
    return counting()(first, rows);
  };
  GgufWriter lazy, eager;
  lazy.add("k", 1)
      .add_tensor("s", Dtype::kF32, kSmall, counting())
      .add_tensor("l", Dtype::kF32, kLarge, source);
  eager.add("k", 1).add_tensor("s", Dtype::kF32, kSmall, counted(20));
  eager.add_tensor("l", Dtype::kF32, kLarge, counted(3072000));
  const test::TemporaryFile target({});
  std::vector<float> fractions;
  const auto written = lazy.write(target.path(), [&](float fraction) {
    fractions.push_back(fraction);
    return true;
  });
  REQUIRE(written.ok());
  CHECK(asked == 3072000);
  CHECK(most <= std::size_t{1} << 20);
  CHECK(fractions.size() == 4);
  CHECK(std::is_sorted(fractions.begin(), fractions.end()));
  CHECK(fractions.back() == 1);
  const Gguf whole = must(Gguf::open_whole(target.path()));
  const auto file = must(eager.bytes());
  CHECK(file.size() == whole.file_bytes());
  const Gguf parsed = must(Gguf::parse(file, "m"));
  for (const TensorView& tensor : parsed.tensors())
    CHECK(std::ranges::equal(tensor.bytes, must(whole.tensor(tensor.name, tensor.shape)).bytes));
  asked = 0;
  CHECK(must(GgufWriter().add_tensor("l", Dtype::kF32, kLarge, counting()).bytes()).size() > 3072000);
}

TEST_CASE("a source that fails, or a caller who stops, leaves no file") {
  const test::TemporaryFile place({});
  const std::string path = place.path() + ".new";
  GgufWriter writer;
  writer.add_tensor("s", Dtype::kF32, kSmall, counting());
  writer.add_tensor("bad", Dtype::kF32, kLarge, [](std::uint64_t first, std::span<std::byte>) {
    return first == 0 ? Result<void>() : Error{ErrorCode::kBadNumbers, "no numbers"};
  });
  CHECK(writer.write(path).error().message == "no numbers");
  CHECK(writer.bytes().ok());  // which asks for all at once
  const auto stopped = writer.write(path, [](float) { return false; });
  CHECK(stopped.error().code == ErrorCode::kCancelled);
  CHECK(stopped.error().message == "writing '" + path + "' was stopped");
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a file can be read as if it were written") {
  GgufWriter writer;
  writer.add("k", "value").add_tensor("s", Dtype::kF32, kSmall, counting());
  writer.add_tensor("l", Dtype::kF32, kLarge, counting());
  const Bytes bytes = must(writer.bytes());
  const Gguf file = must(writer.open("nowhere"));
  CHECK(file.path() == "nowhere");
  CHECK(file.file_bytes() == bytes.size());
  CHECK(must(file.get_string("k")) == "value");
  std::vector<std::byte> buffer;
  CHECK(std::ranges::equal(must(file.read(file.tensors()[0].bytes, buffer)), counted(20)));
  const auto large = must(file.tensor("l", kLarge)).bytes;
  CHECK(std::ranges::equal(must(file.read(large, buffer)), counted(3072000)));
  const Bytes first = counted(3072);
  const auto part = must(file.read(large.subspan(1024, 2048), buffer));
  CHECK(std::ranges::equal(part, std::span(first).subspan(1024)));
  // Both tensors, and the padding between them.
  const std::span<const std::byte> both(file.tensors()[0].bytes.data(), 32 + large.size());
  const auto all = must(file.read(both, buffer));
  CHECK(std::ranges::equal(all, std::span(bytes).last(both.size())));

  writer.add_tensor("huge", Dtype::kF32, std::vector<std::uint64_t>{std::uint64_t{1} << 50}, counting());
  CHECK(writer.open("m").error().message.ends_with("and the limit is 140737488355328"));
}

TEST_CASE("metadata of another file is copied") {
  const Bytes from = GgufWriter()
                         .add("u32", 7u)
                         .add("u64", ~std::uint64_t{0})
                         .add("i32", -3)
                         .add("i64", std::int64_t{-1} << 40)
                         .add("f32", 0.1f)
                         .add("f64", 0.1)
                         .add("flag", true)
                         .add("text", "words")
                         .add("strings", std::vector<std::string>{"a", "", "ccc"})
                         .add("ints", std::vector<std::int32_t>{1, -2})
                         .add("none", std::vector<float>{})
                         .bytes()
                         .value();
  const Gguf file = Gguf::parse(from, "m").value();
  GgufWriter writer;
  for (const GgufEntry& entry : file.metadata()) writer.copy(entry);
  CHECK(writer.bytes().value() == from);
  CHECK_FALSE(writer.copy(file.metadata()[0]).bytes().ok());
}
