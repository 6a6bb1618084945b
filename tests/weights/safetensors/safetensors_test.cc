// Safetensors files: valid ones, the error messages for invalid ones, truncation and corruption at every
// position.
#include "weights/safetensors/safetensors.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "safetensors_writer.h"
#include "tests/catch.h"
#include "tests/fuzz/safetensors_cases.h"
#include "tests/sanitized.h"
#include "tests/weights/files.h"
#include "weights/codecs/codec.h"
#include "weights/json/reader.h"

using namespace partita;

using namespace partita::internal;
using partita::internal::test::Bytes;
using partita::internal::test::raw_safetensors;
using partita::internal::test::SafeTensorsWriter;

namespace {

namespace fs = std::filesystem;

const std::string kAgain = "; the file is damaged: download it again";

Bytes small_file() {
  return SafeTensorsWriter()
      .add("norm", {3}, {0.5f, -1.25f, 3})
      .add_bytes("ids", "I64", {2}, Bytes(16, std::byte{1}))
      .add("half", {2, 2}, {1, -2, 0.25f, 65504}, "F16")
      .add("brain", {1, 2}, {1.5f, -3e38f}, "BF16")
      .bytes();
}

void check_refused(const Bytes& bytes, ErrorCode code, const std::string& message) {
  const auto file = SafeTensors::parse(bytes, "m");
  REQUIRE_FALSE(file.ok());
  CHECK(file.error().message == message);
  CHECK(file.error().code == code);
}

void check_damaged(std::string_view header, std::size_t data, const std::string& message) {
  check_refused(raw_safetensors(header, Bytes(data)), ErrorCode::kBadFile, "'m': " + message + kAgain);
}

/// The numbers of a tensor.
std::vector<float> values_of(const SafeTensors& file, std::string_view name) {
  const SafeTensor* tensor = file.find(name);
  REQUIRE(tensor != nullptr);
  Bytes bytes(tensor->bytes.size());
  REQUIRE(file.read(*tensor, 0, bytes).ok());
  std::vector<float> values(bytes.size() / block_bytes(*tensor->dtype));
  codec(*tensor->dtype).dequantize(bytes.data(), values.size(), values.data());
  return values;
}

/// A header with one tensor "w" of these members.
std::string one_tensor(const std::string& members) { return R"({"w":{)" + members + "}}"; }

/// The error message for an invalid index named 'i'.
std::string index_error(std::string_view text) {
  const auto map = parse_weight_map(text, "i");
  REQUIRE_FALSE(map.ok());
  CHECK(map.error().code == ErrorCode::kBadFile);
  return map.error().message;
}

/// A directory; its destructor deletes it.
class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "partita_shards_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path_); }
  std::string write(const std::string& name, const Bytes& bytes) const {
    const std::string path = (path_ / name).string();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  std::string write(const std::string& name, std::string_view text) const {
    const auto bytes = std::as_bytes(std::span(text));
    return write(name, Bytes(bytes.begin(), bytes.end()));
  }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("tensors of a safetensors file are found and read") {
  const Bytes bytes = small_file();
  const auto file = SafeTensors::parse(bytes, "m");
  REQUIRE(file.ok());
  CHECK(file->path() == "m");
  std::vector<std::string> names;
  for (const SafeTensor& tensor : file->tensors()) names.push_back(tensor.name);
  CHECK(names == std::vector<std::string>{"brain", "half", "ids", "norm"});
  CHECK(values_of(*file, "norm") == std::vector<float>{0.5f, -1.25f, 3});
  CHECK(values_of(*file, "half") == std::vector<float>{1, -2, 0.25f, 65504});
  CHECK(values_of(*file, "brain")[0] == 1.5f);
  CHECK(values_of(*file, "brain")[1] == Approx(-3e38).epsilon(0.01));

  const auto half = file->tensor("half", {2, 2});
  REQUIRE(half.ok());
  CHECK((*half)->dtype == Dtype::kF16);
  CHECK((*half)->type == "F16");
  CHECK(file->find("ids")->shape == std::vector<std::uint64_t>{2});
  CHECK_FALSE(file->find("ids")->dtype);
  CHECK(file->find("nor") == nullptr);
  CHECK(file->find("zzz") == nullptr);
}

TEST_CASE("metadata, padding, numbers without dimensions and tensors without elements are allowed") {
  const Bytes one = {std::byte{0}, std::byte{0}, std::byte{0x80}, std::byte{0x3f}};
  const Bytes bytes = raw_safetensors(
      R"({"__metadata__":{"format":"pt"},"e":{"dtype":"F32","shape":[3,0],"data_offsets":[0,0]},)"
      R"("s":{"dtype":"F32","shape":[],"data_offsets":[0,4],"new":1},)"
      R"("z":{"dtype":"F4","shape":[0],"data_offsets":[4,4]}}     )",
      one);
  const auto file = SafeTensors::parse(bytes, "m");
  REQUIRE(file.ok());
  CHECK(file->tensors().size() == 3);
  CHECK(values_of(*file, "s") == std::vector<float>{1});
  CHECK(file->tensor("s", {}).ok());
  CHECK(values_of(*file, "e").empty());
  const Bytes empty = raw_safetensors("{}");
  CHECK(SafeTensors::parse(empty, "m")->tensors().empty());
}

TEST_CASE("look-ups that fail name what was expected") {
  const Bytes bytes = small_file();
  const auto file = SafeTensors::parse(bytes, "m");
  REQUIRE(file.ok());
  const auto missing = file->tensor("none", {2, 3});
  CHECK(missing.error().code == ErrorCode::kNotFound);
  CHECK(missing.error().message == "'m' has no tensor 'none', expected with shape [2, 3]");
  const auto other = file->tensor("half", {4});
  CHECK(other.error().code == ErrorCode::kBadFile);
  CHECK(other.error().message == "'m': tensor 'half' has shape [2, 2], and [4] was expected");
  for (const auto& error : {file->tensor("ids", {2}).error()}) {
    CHECK(error.code == ErrorCode::kUnsupported);
    CHECK(error.message == "'m': tensor 'ids' is I64, and F32, F16, BF16, F8_E4M3 and F8_E5M2 can be read");
  }
}

TEST_CASE("lengths of headers are checked") {
  check_refused(Bytes(7), ErrorCode::kBadFile,
                "'m': the file has 7 bytes, and the length of its header alone takes 8" + kAgain);
  check_refused(test::RawFile().put<std::uint64_t>(100'000'001).zeros(20).bytes(), ErrorCode::kBadFile,
                "'m': the header claims 100000001 bytes, and 100000000 are allowed" + kAgain);
  check_refused(test::RawFile().put<std::uint64_t>(21).zeros(20).bytes(), ErrorCode::kBadFile,
                "'m': the header claims 21 bytes, and only 20 follow its length" + kAgain);
}

TEST_CASE("headers that are not an object of tensors are refused") {
  const auto bad = ErrorCode::kBadFile;
  check_refused(raw_safetensors(""), bad, "'m': the header is not valid JSON: it ends too early, at byte 0");
  check_refused(raw_safetensors("{}x"), bad, "'m': the header is not valid JSON: unexpected input at byte 3");
  check_refused(raw_safetensors("{\"\xff\":1}"), bad,
                "'m': the header is not valid JSON: unexpected input at byte 3");
  check_damaged("[]", 0, "the header is not a JSON object");
  check_damaged(R"({"__metadata__":1})", 0, "'__metadata__' is not an object of strings");
  check_damaged(R"({"__metadata__":{"a":1}})", 0, "'__metadata__' is not an object of strings");
  check_damaged(R"({"w":[]})", 0, "tensor 'w' is not described by an object");
  check_damaged(R"({"":{}})", 0, "a tensor's name has 0 bytes, and 1 to 65535 are allowed");
  check_damaged("{\"" + std::string(65536, 'n') + "\":{}}", 0,
                "a tensor's name has 65536 bytes, and 1 to 65535 are allowed");
  check_refused(raw_safetensors(R"({"w":{},"w":{}})"), bad,
                "'m': the header has the key 'w' twice in one object");
  check_refused(raw_safetensors(R"({"w":{"dtype":"F32","dtype":"F32"}})"), bad,
                "'m': the header has the key 'dtype' twice in one object");
  for (const std::size_t depth : {std::size_t{101}, std::size_t{1000000}}) {
    check_refused(raw_safetensors(test::nested(depth)), bad,
                  "'m': the header nests objects and arrays deeper than the 100 levels allowed");
  }
}

TEST_CASE("types, shapes and offsets of tensors in safetensors files are checked") {
  check_damaged(one_tensor(R"("shape":[1],"data_offsets":[0,4])"), 4,
                "tensor 'w' has no 'dtype' that is a string");
  check_damaged(one_tensor(R"("dtype":3,"shape":[1],"data_offsets":[0,4])"), 4,
                "tensor 'w' has no 'dtype' that is a string");
  check_refused(raw_safetensors(one_tensor(R"("dtype":"F23","shape":[1],"data_offsets":[0,4])"), Bytes(4)),
                ErrorCode::kUnsupported,
                "'m': tensor 'w' has the type 'F23', which is not a safetensors type");
  for (const std::string shape : {R"("n":1)", R"("shape":1)", R"("shape":{"a":1})"}) {
    check_damaged(one_tensor(R"("dtype":"F32",)" + shape + R"(,"data_offsets":[0,4])"), 4,
                  "tensor 'w' has no 'shape' that is an array");
  }
  for (const std::string dim : {"-1", "1.0", "\"1\"", "null", "18446744073709551616"}) {
    check_damaged(one_tensor(R"("dtype":"F32","shape":[)" + dim + R"(],"data_offsets":[0,4])"), 4,
                  "the shape of tensor 'w' has a dimension that is not an unsigned integer");
  }
  check_damaged(one_tensor(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"), 4,
                "tensor 'w' has 9 dimensions, and 8 are allowed");
  for (const std::string place :
       {R"("n":1)", R"("data_offsets":4)", R"("data_offsets":[0])", R"("data_offsets":[0,4,4])",
        R"("data_offsets":[0,-4])", R"("data_offsets":["0",4])"}) {
    check_damaged(one_tensor(R"("dtype":"F32","shape":[1],)" + place), 4,
                  "tensor 'w' has no 'data_offsets' of two unsigned integers");
  }
  check_damaged(one_tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), 4,
                "tensor 'w' lies at bytes 4 to 0 of the data, which has 4 bytes");
  check_damaged(one_tensor(R"("dtype":"F32","shape":[1],"data_offsets":[1,5])"), 4,
                "tensor 'w' lies at bytes 1 to 5 of the data, which has 4 bytes");
  check_damaged(one_tensor(R"("dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,0])"), 4,
                "tensor 'w' lies at bytes 18446744073709551612 to 0 of the data, which has 4 bytes");
}

TEST_CASE("the size of a tensor must match its shape and type") {
  check_damaged(one_tensor(R"("dtype":"F32","shape":[2,3],"data_offsets":[0,20])"), 20,
                "tensor 'w' of type F32 and shape [2, 3] needs 24 bytes, and its data_offsets give it 20");
  check_damaged(one_tensor(R"("dtype":"F4","shape":[3],"data_offsets":[0,2])"), 2,
                "tensor 'w' of type F4 and shape [3] takes 12 bits, which is not a whole number of bytes");
  check_damaged(one_tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])"), 4,
                "tensor 'w' has the shape [4294967296, 4294967296], more than 2^64 bits");
  check_damaged(one_tensor(R"("dtype":"F16","shape":[1152921504606846976],"data_offsets":[0,4])"), 4,
                "tensor 'w' has the shape [1152921504606846976], more than 2^64 bits");
}

TEST_CASE("tensors of a safetensors file fill its data") {
  const auto pair = [](int begin, int end) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[)" +
           std::to_string(end - begin) + R"(],"data_offsets":[)" + std::to_string(begin) + "," +
           std::to_string(end) + "]}}";
  };
  CHECK(SafeTensors::parse(raw_safetensors(pair(4, 8), Bytes(8)), "m").ok());
  check_damaged(pair(3, 8), 8,
                "tensor 'b' begins at byte 3 of the data, within another one, which ends at 4");
  check_damaged(pair(0, 4), 4,
                "tensor 'b' begins at byte 0 of the data, within another one, which ends at 4");
  check_damaged(pair(5, 8), 8,
                "tensor 'b' begins at byte 5 of the data, and the one before it ends at 4: no tensor covers "
                "the bytes between");
  check_damaged(pair(4, 8), 9, "the tensors end at byte 8 of the data, which has 9 bytes");
  check_damaged("{}", 1, "the tensors end at byte 0 of the data, which has 1 bytes");
}

TEST_CASE("an empty tensor may be where another one begins or ends, whatever their names") {
  const std::string full = R"("dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  const auto empty = [](const char* offset) {
    return std::string(R"("dtype":"U8","shape":[0],"data_offsets":[)") + offset + "," + offset + "]}";
  };
  for (const char* name : {"a", "c"}) {
    for (const char* offset : {"0", "4"}) {
      const std::string header = R"({"b":{)" + full + R"(,")" + name + R"(":{)" + empty(offset) + "}";
      CAPTURE(header);
      const auto file = SafeTensors::parse(raw_safetensors(header, Bytes(4)), "m");
      REQUIRE(file.ok());
      CHECK(file->find(name)->bytes.empty());
      CHECK(file->find("b")->bytes.size() == 4);
    }
    check_damaged(R"({"b":{)" + full + R"(,")" + name + R"(":{)" + empty("2") + "}", 4,
                  std::string("tensor '") + name +
                      "' begins at byte 2 of the data, within another one, which ends at 4");
  }
}

TEST_CASE("a safetensors file cut anywhere is refused, with a wrong byte refused or read") {
  Bytes file = small_file();
  REQUIRE(fuzz::run_safetensors_case(file));
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);  // a copy, so that sanitizers see its end
    CHECK_FALSE(
        fuzz::run_safetensors_case(Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))));
  }
  int accepted = 0, tried = 0;
  for (std::byte& changed : file) {
    const std::byte original = changed;
    for (int bit = 0; bit < 8; ++bit, ++tried) {
      changed = original ^ static_cast<std::byte>(1 << bit);
      accepted += fuzz::run_safetensors_case(file);
    }
    changed = original;
  }
  CHECK(accepted > 0);  // names may change, and so may data
  CHECK(accepted < tried);
  std::mt19937 random(5);
  for (int i = 0; i < test::all_or(20000, 2000); ++i) {
    Bytes mutated = file;
    for (int change = 0; change < 4; ++change)
      mutated[random() % mutated.size()] = static_cast<std::byte>(random());
    fuzz::run_safetensors_case(mutated);
  }
}

TEST_CASE("many small values take bounded memory") {
  std::string header = R"({"w":[0)";
  for (int i = 0; i < (1 << 22); ++i) header += ",0";
  check_refused(raw_safetensors(header + "]}"), ErrorCode::kBadFile,
                "'m': the header has more values than the 4194304 allowed");
}

TEST_CASE("an index and its files are one checkpoint") {
  const Directory directory;
  directory.write("one.safetensors",
                  SafeTensorsWriter().add("b", {2}, {1, 2}).add("unnamed", {1}, {9}).bytes());
  directory.write("two.safetensors",
                  SafeTensorsWriter().add("a", {1}, {3}).add("c", {1}, {4}, "F16").bytes());
  const auto path = directory.write(
      "model.safetensors.index.json",
      R"({"metadata":{"total_size":14},"weight_map":{"a":"two.safetensors","b":"one.safetensors","c":"two.safetensors"}})");
  auto opened = SafeTensors::open(path);
  REQUIRE(opened.ok());
  const SafeTensors file = std::move(*opened);
  CHECK(file.path() == path);
  CHECK(file.tensors().size() == 3);
  CHECK(file.find("unnamed") == nullptr);
  for (int again = 0; again < 2; ++again) {
    CHECK(values_of(file, "a") == std::vector<float>{3});
    CHECK(values_of(file, "b") == std::vector<float>{1, 2});
    CHECK(values_of(file, "c") == std::vector<float>{4});
  }
  const auto refused = [&](const std::string& text) {
    const auto wrong = directory.write("wrong.safetensors.index.json", text);
    const auto result = SafeTensors::open(wrong);
    REQUIRE_FALSE(result.ok());
    return std::pair(result.error(), wrong);
  };
  const auto [absent, index] = refused(R"({"weight_map":{"x":"one.safetensors"}})");
  CHECK(absent.message ==
        "'" + index + "' says that tensor 'x' is in 'one.safetensors', and it is not" + kAgain);
  CHECK(refused(R"({"weight_map":{"x":"three.safetensors"}})").first.code == ErrorCode::kNotFound);
  // An index cannot list an index as a shard, so that it cannot refer to itself.
  CHECK(refused(R"({"weight_map":{"x":"wrong.safetensors.index.json"}})").first.code == ErrorCode::kBadFile);
  CHECK(SafeTensors::open(index + "none").error().code == ErrorCode::kNotFound);
}

TEST_CASE("an invalid index is refused") {
  CHECK(index_error("") == "'i' is not valid JSON: it ends too early, at byte 0");
  for (const std::string_view text : {"[]", "{}", R"({"weight_map":[]})", R"({"weight_map":"a"})"})
    CHECK(index_error(text) == "'i' has no 'weight_map' that is an object" + kAgain);
  CHECK(index_error(R"({"weight_map":{"w":1}})") ==
        "'i' gives tensor 'w' a file that is not a string" + kAgain);
  const std::string endless(256, 'n');
  for (const std::string_view name :
       {"", ".", "..", "/etc/passwd", "a/b", "../x", "a\\u0000b", endless.data()}) {
    CHECK_THAT(index_error(R"({"weight_map":{"w":")" + std::string(name) + R"("}})"),
               Catch::Matchers::Contains("and only plain names of files beside it are allowed"));
  }
  CHECK(index_error(R"({"weight_map":{"w":"a","w":"b"}})") == "'i' has the key 'w' twice in one object");
  std::string many;
  for (int i = 0; i < 4097; ++i)
    many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"f" + std::to_string(i) + "\"";
  CHECK(index_error(R"({"weight_map":{)" + many + "}}") ==
        "'i' names more files than the 4096 allowed" + kAgain);
}
