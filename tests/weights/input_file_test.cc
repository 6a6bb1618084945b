// Opening paths that are not readable files, and reading files in parts.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "files.h"
#include "tests/catch.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"
#include "weights/input_file.h"

using namespace partita;

using namespace partita::internal;
using Catch::Matchers::Contains;
using partita::internal::test::Bytes;

namespace {

void check_refused(const std::string& path, ErrorCode code, const std::string& message) {
  const Result<Gguf> file = Gguf::open(path);
  REQUIRE_FALSE(file.ok());
  CHECK(file.error().code == code);
  CHECK(file.error().message == message);
}

/// The resident memory of this process in bytes.
std::size_t resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  }
  FAIL("no VmRSS in /proc/self/status");
  return 0;
}

std::uint64_t sum(std::span<const std::byte> bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0}, [](std::uint64_t total, std::byte b) {
    return total + std::to_integer<unsigned>(b);
  });
}

}  // namespace

TEST_CASE("paths that are not readable files are named, with what to do") {
  check_refused("/nonexistent/model.gguf", ErrorCode::kNotFound,
                "there is no file '/nonexistent/model.gguf'; check the path, or download the model first");
  check_refused("", ErrorCode::kNotFound, "there is no file ''; check the path, or download the model first");
  const std::string directory = std::filesystem::temp_directory_path().string();
  check_refused(directory, ErrorCode::kIo,
                "'" + directory + "' is a directory; give the path of a .gguf file inside it");
  check_refused("/dev/null", ErrorCode::kIo,
                "'/dev/null' is a device, pipe or socket; give the path of a regular file");
  const test::TemporaryFile empty({});
  check_refused(empty.path(), ErrorCode::kBadFile,
                "'" + empty.path() + "' is empty (0 bytes); download or copy it again");
  check_refused(
      std::string(5000, 'x'), ErrorCode::kIo,
      "cannot read '" + std::string(5000, 'x') + "' (File name too long); check the disk and the path");
}

TEST_CASE("terminal control characters in a file's name are escaped in errors") {
  check_refused("/nonexistent/é\x1b[2J", ErrorCode::kNotFound,
                "there is no file '/nonexistent/é\\x1b[2J'; check the path, or download the model first");
}

TEST_CASE("a pipe is refused at once, not waited for") {
  const test::TemporaryFile place({});
  const std::string path = place.path() + ".pipe";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  check_refused(path, ErrorCode::kIo,
                "'" + path + "' is a device, pipe or socket; give the path of a regular file");
  ::unlink(path.c_str());
}

TEST_CASE("a file without permission is named, unless the user can read everything") {
  const test::TemporaryFile file(Bytes(100));
  REQUIRE(::chmod(file.path().c_str(), 0) == 0);
  if (::access(file.path().c_str(), R_OK) == 0) {
    CHECK(InputFile::open(file.path()).ok());
  } else {
    check_refused(
        file.path(), ErrorCode::kIo,
        "cannot read '" + file.path() + "' (Permission denied); give yourself permission to read it");
  }
}

TEST_CASE("tensors are read on demand, into the caller's buffer") {
  constexpr std::size_t kTensor = 8 << 20;
  GgufWriter writer;
  for (const char* name : {"a", "b"}) {
    writer.add_tensor(name, Dtype::kF32, {kTensor / 4}, Bytes(kTensor, std::byte{3}));
  }
  const test::TemporaryFile target(writer.bytes().value());
  const std::size_t before = resident_bytes();
  const Gguf file = Gguf::open(target.path()).value();
  const TensorView b = file.tensor("b", {kTensor / 4}).value();
  Bytes buffer(1000);
  const auto piece = file.read(b.bytes.subspan(kTensor - 1000), buffer);
  REQUIRE(piece.ok());
  CHECK(piece->data() == buffer.data());
  CHECK(sum(*piece) == 3000);
  CHECK(resident_bytes() < before + kTensor / 2);
  const auto all = file.read(b.bytes, buffer);  // which is too small, and grows
  REQUIRE(all.ok());
  CHECK(sum(*all) == 3 * kTensor);

  const Gguf whole = Gguf::open_whole(target.path()).value();
  const TensorView same = whole.tensor("b", {kTensor / 4}).value();
  CHECK(sum(same.bytes) == 3 * kTensor);
  CHECK(whole.read(same.bytes, buffer)->data() == same.bytes.data());
}

TEST_CASE("loaded bytes do not move") {
  Bytes content(5 << 20);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::byte>(i % 251);
  const test::TemporaryFile target(content);
  InputFile file = InputFile::open(target.path()).value();
  CHECK(file.size() == content.size());
  CHECK(file.loaded() == 0);
  REQUIRE(file.load(10).ok());
  const std::byte* const first = file.bytes().data();
  CHECK(file.loaded() < content.size());
  REQUIRE(file.load(content.size() - 1).ok());
  InputFile moved = std::move(file);
  REQUIRE(moved.load(content.size()).ok());
  CHECK(moved.bytes().data() == first);
  CHECK(std::equal(content.begin(), content.end(), first));
}

TEST_CASE("a file that was shortened while it was open is an error, not a signal") {
  const Bytes content(3 << 20, std::byte{7});
  for (const std::size_t left : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{2 << 20}}) {
    const test::TemporaryFile target(content);
    InputFile file = InputFile::open(target.path()).value();
    REQUIRE(::truncate(target.path().c_str(), static_cast<off_t>(left)) == 0);
    Bytes buffer;
    for (const Error& error :
         {file.load(content.size()).error(), file.view(file.bytes().last(10), buffer).error(),
          file.read(left, std::as_writable_bytes(std::span(buffer).first(1))).error()}) {
      CHECK(error.code == ErrorCode::kIo);
      CHECK_THAT(error.message,
                 Contains("'" + target.path() + "' was shortened while it was read: it had 3145728 bytes"));
      CHECK_THAT(error.message, Contains("open it again when no program is writing to it"));
    }
    CHECK(
        file.read(0, std::as_writable_bytes(std::span(buffer).first(std::min<std::size_t>(left, 10)))).ok());
  }
}

TEST_CASE("bytes in memory are read where they are") {
  const Bytes content(100, std::byte{5});
  const InputFile file = InputFile::in_memory(content, "m");
  CHECK(file.path() == "m");
  CHECK(file.loaded() == 100);
  Bytes buffer;
  CHECK(file.view(file.bytes().subspan(3, 5), buffer)->data() == content.data() + 3);
  Bytes out(100);
  REQUIRE(file.read(0, out).ok());
  CHECK(out == content);
}

TEST_CASE("a small text file is read whole, a large one refused") {
  const Bytes content(10, std::byte{'x'});
  const test::TemporaryFile target(content);
  CHECK(read_text_file(target.path(), "a note", 10).value() == "xxxxxxxxxx");
  CHECK(read_text_file(target.path(), "a note", 9).error().message ==
        "'" + target.path() + "' has 10 bytes, and a note has at most 9");
}

TEST_CASE("an open file can be moved") {
  const test::TemporaryFile one(Bytes(10, std::byte{1}));
  const test::TemporaryFile two(Bytes(20, std::byte{2}));
  InputFile first = InputFile::open(one.path()).value();
  InputFile second = InputFile::open(two.path()).value();
  first = std::move(second);
  CHECK(first.size() == 20);
  InputFile third(std::move(first));
  REQUIRE(third.load(20).ok());
  CHECK(sum(third.bytes()) == 40);
}
