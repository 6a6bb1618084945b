// Typed look-ups of metadata and tensors, and their error messages.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/weights/files.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"

using namespace partita;

using namespace partita::internal;
using partita::internal::test::Bytes;

namespace {

Bytes small_file() {
  GgufWriter file;
  file.add("count", 7u).add("negative", -5).add("positive", 5).add("ratio", 0.25f).add("flag", true);
  file.add("text", "abc").add("list", std::vector<std::int32_t>{1, 2});
  file.add_tensor("weight", Dtype::kF32, {2, 3}, std::vector<float>{0, 1, 2, 3, 4, 5});
  return file.bytes().value();
}

template <class T>
void check_error(const Result<T>& result, ErrorCode code, const std::string& message) {
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == code);
  CHECK(result.error().message == message);
}

}  // namespace

TEST_CASE("typed look-ups find values of their type") {
  const Bytes bytes = small_file();
  const Gguf file = Gguf::parse(bytes, "m").value();
  CHECK(file.get_uint("count").value() == 7);
  CHECK(file.get_uint("positive").value() == 5);
  CHECK(file.get_float("ratio").value() == 0.25);
  CHECK(file.get_bool("flag").value());
  CHECK(file.get_string("text").value() == "abc");
  CHECK(file.get_array("list").value()->size() == 2);
  CHECK(file.find("text") != nullptr);
  CHECK(file.find("tex") == nullptr);
  CHECK(file.find("") == nullptr);
}

TEST_CASE("a missing key is an error that names it, or the default") {
  const Bytes bytes = small_file();
  const Gguf file = Gguf::parse(bytes, "m").value();
  const std::string message = "'m' has no metadata key 'gone'";
  check_error(file.get_uint("gone"), ErrorCode::kNotFound, message);
  check_error(file.get_float("gone"), ErrorCode::kNotFound, message);
  check_error(file.get_bool("gone"), ErrorCode::kNotFound, message);
  check_error(file.get_string("gone"), ErrorCode::kNotFound, message);
  check_error(file.get_array("gone"), ErrorCode::kNotFound, message);
  CHECK(file.get_uint("gone", 9).value() == 9);
  CHECK(file.get_float("gone", 1.5).value() == 1.5);
  CHECK(file.get_bool("gone", true).value());
  CHECK(file.get_uint("count", 9).value() == 7);
  CHECK(file.get_float("ratio", 9).value() == 0.25);
  CHECK(file.get_bool("flag", false).value());
}

TEST_CASE("a key of another type is an error that names both types, default or not") {
  const Bytes bytes = small_file();
  const Gguf file = Gguf::parse(bytes, "m").value();
  const auto code = ErrorCode::kBadFile;
  check_error(file.get_uint("negative"), code,
              "'m': key 'negative' is the integer -5, and an integer that is not negative was expected");
  check_error(file.get_uint("text", 1), code,
              "'m': key 'text' is a string, and an integer that is not negative was expected");
  check_error(file.get_float("count"), code, "'m': key 'count' is the integer 7, and a float was expected");
  check_error(file.get_float("flag", 1), code, "'m': key 'flag' is a bool, and a float was expected");
  check_error(file.get_bool("ratio"), code, "'m': key 'ratio' is a float, and a bool was expected");
  check_error(file.get_bool("ratio", true), code, "'m': key 'ratio' is a float, and a bool was expected");
  check_error(file.get_string("list"), code,
              "'m': key 'list' is an array of 2 int32 elements, and a string was expected");
  check_error(file.get_array("text"), code, "'m': key 'text' is a string, and an array was expected");
}

TEST_CASE("tensors are found by name and exact shape") {
  const Bytes bytes = small_file();
  const Gguf file = Gguf::parse(bytes, "m").value();
  CHECK(file.has_tensor("weight"));
  CHECK_FALSE(file.has_tensor("weigh"));
  CHECK(file.tensor("weight", {2, 3}).value().bytes.size() == 24);
  check_error(file.tensor("bias", {3}), ErrorCode::kNotFound,
              "'m' has no tensor 'bias', expected with shape [3]");
  const std::vector<std::uint64_t> wrong = {3, 2};
  check_error(file.tensor("weight", wrong), ErrorCode::kBadFile,
              "'m': tensor 'weight' has shape [2, 3], and [3, 2] was expected");
  check_error(file.tensor("weight", {6}), ErrorCode::kBadFile,
              "'m': tensor 'weight' has shape [2, 3], and [6] was expected");
  check_error(file.tensor("weight", {2, 3, 1}), ErrorCode::kBadFile,
              "'m': tensor 'weight' has shape [2, 3], and [2, 3, 1] was expected");
}

TEST_CASE("views outlive a move of their file") {
  const Bytes bytes = small_file();
  Gguf first = Gguf::parse(bytes, "m").value();
  const std::string_view text = first.get_string("text").value();
  const GgufArray* list = first.get_array("list").value();
  Gguf second = std::move(first);
  CHECK(text == "abc");
  CHECK(list->int_at(1) == 2);
  first = std::move(second);
  CHECK(first.get_string("text").value() == "abc");
}

TEST_CASE("many keys and tensors are all found") {
  GgufWriter writer;
  const std::vector<float> one = {1.0f};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    writer.add("key." + std::to_string(i), i);
    writer.add_tensor("tensor." + std::to_string(i), Dtype::kF32, {1}, one);
  }
  const Bytes bytes = writer.bytes().value();
  const Gguf file = Gguf::parse(bytes, "m").value();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    CHECK(file.get_uint("key." + std::to_string(i)).value() == i);
    CHECK(file.find_tensor("tensor." + std::to_string(i)) == &file.tensors()[i]);
  }
}

TEST_CASE("a shape knows its rank and its elements") {
  CHECK(Shape().size() == 0);
  CHECK(Shape().elements() == 1);
  const std::vector<std::uint64_t> dims = {2, 3, 4, 5};
  CHECK(Shape(dims).size() == 4);
  CHECK(Shape(dims).elements() == 120);
  CHECK(Shape(std::span(dims).first(2)).size() == 2);
  CHECK(Shape(dims)[3] == 5);
}
