// Models in several files: what opens as one model, and what is refused with a sentence that says why.
#include <filesystem>
#include <fstream>

#include "tests/catch.h"
#include "tests/must.h"
#include "tests/weights/files.h"
#include "weights/fingerprint.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"

namespace partita::internal {
namespace {

namespace fs = std::filesystem;
using testing::must;

/// Two rows of 32 floats: first, first + 1, ...
std::vector<float> values_from(float first) {
  std::vector<float> values(64);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i);
  return values;
}

GgufWriter& add_tensor(GgufWriter& to, const std::string& name, float first) {
  return to.add_tensor(name, Dtype::kF32, {2, 32}, values_from(first));
}

/// The keys that llama-gguf-split writes, with its types.
GgufWriter& add_split(GgufWriter& to, std::uint32_t number, std::uint32_t count, std::int32_t tensors) {
  return to.add("split.no", number).add("split.count", count).add("split.tensors.count", tensors);
}

/// A directory with the three parts of a model: one tensor, two, and one.
class SplitModel {
 public:
  SplitModel() {
    std::string name = (fs::temp_directory_path() / "partita_split_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
    GgufWriter first, second, third;
    add_tensor(add_split(first.add("general.architecture", "llama").add("general.name", "parts"), 0, 3, 4),
               "a", 0);
    add_tensor(add_tensor(add_split(second, 1, 3, 4), "d", 300), "b", 100);
    add_tensor(add_split(third, 2, 3, 4), "c", 200);
    REQUIRE(first.write(path(1)).ok());
    REQUIRE(second.write(path(2)).ok());
    REQUIRE(third.write(path(3)).ok());
  }
  ~SplitModel() { fs::remove_all(directory_); }

  fs::path directory() const { return directory_; }
  std::string path(int part, int of = 3) const {
    return (directory_ / ("model-0000" + std::to_string(part) + "-of-0000" + std::to_string(of) + ".gguf"))
        .string();
  }
  /// The message without the directory.
  std::string refusal(const std::string& of = {}) const {
    const auto file = Gguf::open(of.empty() ? path(1) : of);
    REQUIRE_FALSE(file.ok());
    std::string text = file.error().message;
    const std::string prefix = directory_.string() + "/";
    for (std::size_t at = 0; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text;
  }

 private:
  fs::path directory_;
};

float first_value(const Gguf& file, std::string_view name) {
  std::vector<std::byte> buffer;
  const auto bytes = must(file.read(must(file.tensor(name, {2, 32})).bytes, buffer));
  float value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

TEST_CASE("The first part of a split model opens as the whole model") {
  const SplitModel model;
  const Gguf file = must(Gguf::open(model.path(1)));
  CHECK(file.files() == 3);
  CHECK(file.path() == model.path(1));
  CHECK(must(file.get_string("general.name")) == "parts");
  std::string names;
  for (const TensorView& tensor : file.tensors()) names += tensor.name;
  CHECK(names == "adbc");
  CHECK(first_value(file, "a") == 0);
  CHECK(first_value(file, "b") == 100);
  CHECK(first_value(file, "c") == 200);
  CHECK(first_value(file, "d") == 300);
  std::uint64_t bytes = 0;
  for (int part = 1; part <= 3; ++part) bytes += fs::file_size(model.path(part));
  CHECK(file.file_bytes() == bytes);
}

TEST_CASE("A model has one fingerprint, whole or split") {
  const SplitModel model;
  GgufWriter whole;
  whole.add("general.architecture", "llama").add("general.name", "parts");
  for (const auto& [name, first] : {std::pair("a", 0), {"d", 300}, {"b", 100}, {"c", 200}})
    add_tensor(whole, name, static_cast<float>(first));
  const auto bytes = must(whole.bytes());
  CHECK(must(fingerprint(must(Gguf::open(model.path(1))))) ==
        must(fingerprint(must(Gguf::parse(bytes, "whole")))));
}

TEST_CASE("A part opens alone where it is asked for alone") {
  const SplitModel model;
  const Gguf file = must(Gguf::open_alone(model.path(2)));
  CHECK(file.files() == 1);
  CHECK(file.tensors().size() == 2);
}

TEST_CASE("A file that says it is one of one is whole") {
  for (const std::uint32_t count : {0u, 1u}) {
    GgufWriter whole;
    add_tensor(add_split(whole, 0, count, 1), "a", 0);
    const test::TemporaryFile file(must(whole.bytes()));
    CHECK(must(Gguf::open(file.path())).files() == 1);
  }
}

TEST_CASE("Tensors of types without a codec keep their places") {
  const SplitModel model;
  test::RawFile raw;
  raw.header(2, 2).key("split.no", GgufType::kUint16).put<std::uint16_t>(1);
  raw.key("split.count", GgufType::kUint16).put<std::uint16_t>(3);
  raw.tensor("new", {32}, 39999, 0).tensor("b", {32, 2}, 0, 0).pad().zeros(256);
  std::ofstream(model.path(2), std::ios::binary)
      .write(reinterpret_cast<const char*>(raw.bytes().data()),
             static_cast<std::streamsize>(raw.bytes().size()));
  const Gguf file = must(Gguf::open(model.path(1)));
  REQUIRE(file.unsupported().size() == 1);
  CHECK(file.unsupported().front().tensors == 1);
  CHECK(file.tensors().size() == 3);
}

TEST_CASE("Another part names the first") {
  const SplitModel model;
  CHECK(model.refusal(model.path(2)) ==
        "'model-00002-of-00003.gguf' is part 2 of 3 of a split model; give the first part, "
        "'model-00001-of-00003.gguf'");
  fs::rename(model.path(2), model.directory() / "renamed.gguf");
  CHECK(model.refusal(model.directory() / "renamed.gguf") ==
        "'renamed.gguf' is part 2 of 3 of a split model; give the first part, the file whose name ends in "
        "'-00001-of-00003.gguf'");
}

TEST_CASE("Missing parts are named") {
  const SplitModel model;
  fs::remove(model.path(3));
  CHECK(model.refusal() ==
        "of the 3 parts of 'model-00001-of-00003.gguf' 1 is not there: 'model-00003-of-00003.gguf'; download "
        "every part into one directory");
  fs::remove(model.path(2));
  CHECK(model.refusal() ==
        "of the 3 parts of 'model-00001-of-00003.gguf' 2 are not there: 'model-00002-of-00003.gguf', "
        "'model-00003-of-00003.gguf'; download every part into one directory");
}

TEST_CASE("A first part under another name is refused") {
  const SplitModel model;
  fs::rename(model.path(1), model.directory() / "model.gguf");
  CHECK(model.refusal(model.directory() / "model.gguf") ==
        "'model.gguf' is the first of 3 parts of a split model, and the others are found by its name, which "
        "must end in '-00001-of-00003.gguf'; give each part the name that it had");
}

TEST_CASE("Parts that do not belong together are refused") {
  const SplitModel model;
  GgufWriter part;
  std::string message;
  SECTION("another number of parts") {
    add_tensor(add_split(part, 1, 4, 4), "b", 0);
    message = "it is one of 4 parts, and the first is one of 3";
  }
  SECTION("a whole model") {
    add_tensor(part, "b", 0);
    message = "it is one of 1 parts, and the first is one of 3";
  }
  SECTION("another place") {
    add_tensor(add_split(part, 2, 3, 4), "b", 0);
    message = "it says that it is part 3, and its name says part 2";
  }
  SECTION("another number of tensors in all") {
    add_tensor(add_split(part, 1, 3, 5), "b", 0);
    message = "its model has 5 tensors, and that of the first part has 4";
  }
  SECTION("another name") {
    add_tensor(add_split(part.add("general.name", "others"), 1, 3, 4), "b", 0);
    message = "its general.name is 'others', and that of the first is 'parts'";
  }
  REQUIRE(part.write(model.path(2)).ok());
  CHECK(model.refusal() == "'model-00002-of-00003.gguf' is no part of this split model: " + message +
                               "; download all parts of one model again");
}

TEST_CASE("A tensor in two parts is refused") {
  const SplitModel model;
  GgufWriter part;
  add_tensor(add_tensor(add_split(part, 1, 3, 4), "b", 0), "c", 0);
  REQUIRE(part.write(model.path(2)).ok());
  CHECK(model.refusal() ==
        "tensor 'c' is both in 'model-00002-of-00003.gguf' and in 'model-00003-of-00003.gguf'; download all "
        "parts of one model again");
}

TEST_CASE("Parts have as many tensors as the first says") {
  const SplitModel model;
  GgufWriter part;
  add_tensor(add_split(part, 1, 3, 4), "b", 0);
  REQUIRE(part.write(model.path(2)).ok());
  CHECK(model.refusal() ==
        "'model-00001-of-00003.gguf': its 3 parts have 3 tensors, and split.tensors.count is 4; download all "
        "parts of one model again");
}

TEST_CASE("More parts than any model has are refused") {
  GgufWriter first;
  add_split(first, 0, 513, 1);
  const test::TemporaryFile file(must(first.bytes()));
  const auto opened = Gguf::open(file.path());
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().message ==
        "'" + file.path() +
            "' is one of 513 parts of a split model, and the limit is 512; join them with "
            "llama-gguf-split --merge and give the whole file");
}

TEST_CASE("A damaged part is refused by its own name") {
  const SplitModel model;
  fs::resize_file(model.path(3), 20);
  CHECK(model.refusal() ==
        "'model-00003-of-00003.gguf' is cut short: it has 20 bytes, and the header of a GGUF file has 24; "
        "download it again");
}

}  // namespace
}  // namespace partita::internal
