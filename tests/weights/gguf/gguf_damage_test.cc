// Truncated and corrupted files: a clear error or a correct load, with at most twice the file's size of
// memory, whatever the file claims.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/fuzz/targets.h"
#include "tests/weights/files.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"

using namespace partita;

using namespace partita::internal;
using partita::internal::test::Bytes;
using partita::internal::test::RawFile;

namespace {

constexpr int kCuts = 300;
constexpr int kChanges = 2000;
constexpr std::size_t kHead = 64 * 1024;
constexpr std::size_t kSmallConstant = 4096;  // tables of a few entries, an error message

/// Opens and reads everything; returns whether the file was accepted. Fails the test on too much memory.
bool survives(std::span<const std::byte> bytes) {
  bool accepted = false;
  std::size_t peak = 0;
  {
    const test::AllocationWatch watch;
    accepted = Gguf::parse(bytes, "damaged").ok();
    peak = watch.peak_bytes();
  }
  if (peak > 2 * bytes.size() + kSmallConstant) FAIL("allocated " << peak << " for " << bytes.size());
  fuzz::run_gguf(bytes);
  return accepted;
}

Bytes small_model() {
  GgufWriter file;
  std::mt19937 random(7);
  std::vector<std::string> tokens;
  for (int i = 0; i < 600; ++i) tokens.push_back("token" + std::to_string(random() % 100000));
  file.add("general.architecture", "llama").add("llama.block_count", 2u).add("flag", true).add("eps", 1e-5f);
  file.add("tokens", tokens).add("scores", std::vector<float>(600, 0.5f));
  file.add("types", std::vector<std::int32_t>(600, 1)).add("bools", std::vector<bool>(40, true));
  const std::vector<float> values(64 * 32, 0.25f);
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16, Dtype::kQ4_0, Dtype::kQ4_1, Dtype::kQ5_0,
                            Dtype::kQ5_1, Dtype::kQ8_0}) {
    file.add_tensor(std::string(name(dtype)), dtype, {64, 32}, values);
  }
  for (const Dtype dtype : {Dtype::kQ4_K, Dtype::kQ5_K, Dtype::kQ6_K}) {
    file.add_tensor(std::string(name(dtype)), dtype, {4, 256},
                    Bytes(4 * block_bytes(dtype), std::byte{0x35}));
  }
  return file.bytes().value();
}

/// A private, writable mapping of a file: changed bytes are never written to the disk.
class PrivateImage {
 public:
  explicit PrivateImage(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    struct stat info {};
    REQUIRE(::fstat(fd, &info) == 0);
    size_ = static_cast<std::size_t>(info.st_size);
    void* address = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    ::close(fd);
    REQUIRE(address != MAP_FAILED);
    first_ = static_cast<std::byte*>(address);
  }
  PrivateImage(const PrivateImage&) = delete;
  PrivateImage& operator=(const PrivateImage&) = delete;
  ~PrivateImage() { ::munmap(first_, size_); }
  std::span<std::byte> bytes() const { return {first_, size_}; }

 private:
  std::byte* first_ = nullptr;
  std::size_t size_ = 0;
};

/// Changes single bytes among the first `head` bytes, one at a time. Returns the number of files still
/// accepted.
int change_bytes(std::span<std::byte> file, std::size_t head, int changes) {
  std::mt19937 random(11);
  int accepted = 0;
  for (int i = 0; i < changes; ++i) {
    std::byte& changed = file[random() % std::min(head, file.size())];
    const std::byte original = changed;
    changed ^= static_cast<std::byte>(1 + random() % 255);
    accepted += survives(file);
    changed = original;
  }
  return accepted;
}

}  // namespace

TEST_CASE("a small model cut anywhere is refused") {
  const Bytes whole = small_model();
  REQUIRE(survives(whole));
  for (int i = 0; i < kCuts; ++i) {
    // Half of the cuts are in the header, metadata and tensor infos. Copies the bytes, so that sanitizers see
    // their end.
    const std::size_t range = i % 2 == 0 ? std::size_t{16 * 1024} : whole.size();
    const std::size_t size = range * static_cast<std::size_t>(i) / kCuts;
    CAPTURE(size);
    CHECK_FALSE(survives(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
  }
}

TEST_CASE("a small model with a wrong byte is refused or read") {
  Bytes file = small_model();
  const int accepted = change_bytes(file, 24 * 1024, kChanges);
  CHECK(accepted > 0);  // most bytes of the head are text
  CHECK(accepted < kChanges);
  CHECK(survives(file));
}

TEST_CASE("every byte of the golden file's head may be anything") {
  Bytes file = test::read_recorded("golden.gguf");
  for (std::size_t at = 0; at < file.size(); ++at) {
    const std::byte original = file[at];
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      file[at] = static_cast<std::byte>(value);
      survives(file);
    }
    file[at] = original;
  }
  CHECK(survives(file));
}

TEST_CASE("SmolLM2 cut anywhere is refused, with a wrong byte refused or read", "[slow]") {
  const auto path = test::find_model("SmolLM2-135M-Instruct.Q4_1.gguf");
  INFO("scripts/fetch-model fetches it");
  REQUIRE(path);
  const PrivateImage image(*path);
  for (int i = 0; i < kCuts; ++i) {
    const std::size_t range = i % 2 == 0 ? std::size_t{2} << 20 : image.bytes().size();
    const std::size_t size = range * static_cast<std::size_t>(i) / kCuts;
    CAPTURE(size);
    CHECK_FALSE(survives(image.bytes().first(size)));
  }
  const int accepted = change_bytes(image.bytes(), kHead, kChanges);
  CHECK(accepted > 0);
  CHECK(accepted < kChanges);
  CHECK(survives(image.bytes()));
}

TEST_CASE("tables that fill a hostile file take less than twice its size") {
  RawFile keys;
  keys.header(0, 4096);
  for (int i = 0; i < 4096; ++i) keys.key(std::to_string(i), GgufType::kUint8).put<std::uint8_t>(1);

  RawFile strings;  // empty strings: eight bytes each in the file
  strings.header(0, 1).key("s", GgufType::kArray).put(GgufType::kString).put<std::uint64_t>(100000);
  strings.zeros(800000);

  RawFile bytes;
  bytes.header(0, 1)
      .key("b", GgufType::kArray)
      .put(GgufType::kUint8)
      .put<std::uint64_t>(1000000)
      .zeros(1000000);

  RawFile tensors;
  tensors.header(20000, 1).key("general.alignment", GgufType::kUint32).put(8u);
  for (std::uint64_t i = 0; i < 20000; ++i) tensors.tensor(std::to_string(i), {1}, 0, 8 * i);
  tensors.pad(8).zeros(8 * 20000);

  for (const RawFile* file : {&strings, &bytes, &tensors}) CHECK(survives(file->bytes()));
  // Keys have a limit of their own instead: their table is at most a quarter of a megabyte.
  const test::AllocationWatch watch;
  CHECK(Gguf::parse(keys.bytes(), "keys").ok());
  CHECK(watch.peak_bytes() < 256 * 1024);
}

TEST_CASE("claims that the file cannot hold allocate nothing") {
  for (const std::uint64_t claim : {std::uint64_t{1} << 20, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    CHECK_FALSE(survives(RawFile().header(claim, 0).zeros(100).bytes()));
    CHECK_FALSE(survives(RawFile().header(0, claim).zeros(100).bytes()));
    for (const GgufType type : {GgufType::kUint8, GgufType::kString, GgufType::kBool, GgufType::kFloat64}) {
      const RawFile array = RawFile().header(0, 1).key("k", GgufType::kArray).put(type).put(claim).zeros(100);
      CHECK_FALSE(survives(array.bytes()));
    }
    CHECK_FALSE(survives(RawFile().header(0, 1).key("k", GgufType::kString).put(claim).zeros(100).bytes()));
    CHECK_FALSE(survives(RawFile().header(1, 0).tensor("w", {claim}, 0, 0).pad().zeros(64).bytes()));
  }
}
