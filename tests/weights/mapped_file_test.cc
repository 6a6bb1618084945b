// Opening what is not a readable file, and giving memory back.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "files.h"
#include "tests/catch.h"
#include "weights/gguf.h"
#include "weights/gguf_writer.h"
#include "weights/mapped_file.h"

using namespace partita;
using partita::test::Bytes;

namespace {

void check_refused(const std::string& path, ErrorCode code, const std::string& message) {
  const Result<Gguf> file = Gguf::open(path);
  REQUIRE_FALSE(file.ok());
  CHECK(file.error().code == code);
  CHECK(file.error().message == message);
}

/// Bytes of this process that are in memory because of mapped files.
std::size_t resident_file_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssFile:")) return std::stoull(line.substr(8)) * 1024;
  }
  FAIL("no RssFile in /proc/self/status");
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

TEST_CASE("a pipe is refused at once, not waited for") {
  const test::TemporaryFile place({});
  const std::string path = place.path() + ".pipe";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  check_refused(path, ErrorCode::kIo,
                "'" + path + "' is a device, pipe or socket; give the path of a regular file");
  ::unlink(path.c_str());
}

TEST_CASE("a file without permission is named, unless one may read everything") {
  const test::TemporaryFile file(Bytes(100));
  REQUIRE(::chmod(file.path().c_str(), 0) == 0);
  if (::access(file.path().c_str(), R_OK) == 0) {
    CHECK(MappedFile::open(file.path()).ok());
  } else {
    check_refused(
        file.path(), ErrorCode::kIo,
        "cannot read '" + file.path() + "' (Permission denied); give yourself permission to read it");
  }
}

TEST_CASE("released bytes leave memory and can be read again") {
  constexpr std::size_t kTensor = 8 << 20;
  GgufWriter writer;
  for (const char* name : {"a", "b"}) {
    writer.add_tensor(name, Dtype::kF32, {kTensor / 4}, Bytes(kTensor, std::byte{3}));
  }
  const test::TemporaryFile target(writer.bytes().value());
  const Gguf file = Gguf::open(target.path()).value();
  const TensorView a = file.tensor("a", {kTensor / 4}).value();
  const TensorView b = file.tensor("b", {kTensor / 4}).value();

  CHECK(sum(a.bytes) == 3 * kTensor);
  CHECK(sum(b.bytes) == 3 * kTensor);
  const std::size_t before = resident_file_bytes();
  file.release(a.bytes);
  const std::size_t after = resident_file_bytes();
  CHECK(before - after >= kTensor - 8192);
  CHECK(before - after <= kTensor);  // b stays
  CHECK(sum(a.bytes) == 3 * kTensor);
  CHECK(resident_file_bytes() >= after + kTensor - 8192);
}

TEST_CASE("releasing bytes that are not of the mapping does nothing") {
  const Bytes content(3 * 65536, std::byte{7});
  const test::TemporaryFile target(content);
  const MappedFile file = MappedFile::open(target.path()).value();
  Bytes own(4 * 65536, std::byte{9});
  file.release(own);
  file.release({});
  file.release(file.bytes().first(1));
  file.release({file.bytes().data(), file.bytes().size() + 1});
  CHECK(sum(own) == 9 * own.size());
  CHECK(sum(file.bytes()) == 7 * content.size());

  const Bytes parsed_bytes = GgufWriter().add("k", 1).bytes().value();
  const Gguf parsed = Gguf::parse(parsed_bytes, "m").value();
  parsed.release(parsed_bytes);
  CHECK(parsed.get_uint("k").value() == 1);
}

TEST_CASE("a mapping can be moved") {
  const test::TemporaryFile one(Bytes(10, std::byte{1}));
  const test::TemporaryFile two(Bytes(20, std::byte{2}));
  MappedFile first = MappedFile::open(one.path()).value();
  MappedFile second = MappedFile::open(two.path()).value();
  first = std::move(second);
  CHECK(first.bytes().size() == 20);
  const MappedFile third(std::move(first));
  CHECK(sum(third.bytes()) == 40);
}
