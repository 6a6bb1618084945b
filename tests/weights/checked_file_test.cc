// Checksums, fingerprints, and atomic file writes.
#include "weights/checked_file.h"

#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "files.h"
#include "tests/catch.h"
#include "weights/fingerprint.h"
#include "weights/gguf/writer.h"

using namespace partita;

using namespace partita::internal;
using partita::internal::test::Bytes;

namespace {

namespace fs = std::filesystem;

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::uint64_t sum_of(std::string_view text) {
  Hash64 hash;
  hash.add(std::as_bytes(std::span(text)));
  return hash.sum();
}

/// A directory; its destructor deletes it.
struct Directory {
  explicit Directory(const fs::path& parent = fs::temp_directory_path()) {
    std::string name = (parent / "partita_checked_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { fs::remove_all(path); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
  fs::path path;
};

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a checksum does not depend on how the bytes are split") {
  // Computed by another program.
  CHECK(sum_of("") == 0xea4cdb5696479cdfU);
  CHECK(sum_of("a") == 0x8baa873e5d08ae89U);
  CHECK(sum_of("12345678") == 0x21ab5dbe423a9921U);
  CHECK(sum_of("The quick brown fox jumps") == 0x32b39fe1e1c3d0a0U);
  const std::string text = "The quick brown fox jumps";
  for (std::size_t a = 0; a <= text.size(); ++a) {
    for (std::size_t b = a; b <= text.size(); ++b) {
      Hash64 hash;
      for (const std::string& piece : {text.substr(0, a), text.substr(a, b - a), text.substr(b)})
        hash.add(std::as_bytes(std::span(piece)));
      REQUIRE(hash.sum() == 0x32b39fe1e1c3d0a0U);
    }
  }
  CHECK(sum_of(std::string(8, '\0')) != sum_of(std::string(9, '\0')));
  CHECK(sum_of(std::string(1, '\0')) != sum_of(""));
}

TEST_CASE("a finished file is at its path, an unfinished one leaves nothing behind") {
  const Unfinished where = GENERATE(Unfinished::kUnnamed, Unfinished::kNamed);
  const Directory directory("/dev/shm");  // where files without names are possible
  const fs::path path = directory.path / "new";
  {
    auto file = AtomicFile::create(path.string(), 0666, where);
    REQUIRE(file.ok());
    REQUIRE(file->write(bytes_of("abc")));
    CHECK_FALSE(fs::exists(path));
    CHECK(directory.files() == (where == Unfinished::kNamed ? 1 : 0));
  }
  CHECK(directory.files() == 0);  // not finished
  {
    auto file = AtomicFile::create(path.string(), 0666, where);
    REQUIRE(file.ok());
    auto another = AtomicFile::create(path.string(), 0666, where);  // at the same time
    REQUIRE(another.ok());
    REQUIRE(file->write(bytes_of("ab")));
    AtomicFile moved = std::move(*file);
    REQUIRE(moved.write(bytes_of("c")));
    REQUIRE(moved.write(std::span<const std::byte>()));
    REQUIRE(moved.finish().ok());
  }
  CHECK(directory.files() == 1);
  const std::string content = read(path);
  REQUIRE(content.size() == 3 + 8);
  CHECK(content.substr(0, 3) == "abc");
  std::uint64_t sum = 0;
  std::memcpy(&sum, content.data() + 3, 8);
  CHECK(sum == sum_of("abc"));

  auto plain = AtomicFile::create(path.string());
  REQUIRE(plain.ok());
  REQUIRE(plain->write(bytes_of("xyz")));
  REQUIRE(plain->finish_without_checksum().ok());
  CHECK(read(path) == "xyz");
}

TEST_CASE("a new file keeps the mode of the file it replaces, and replaces the target of a link") {
  const Directory directory;
  const fs::path path = directory.path / "old", link = directory.path / "link";
  std::ofstream(path) << "old";
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
  fs::create_symlink(path, link);
  auto file = AtomicFile::create(link.string());
  REQUIRE(file.ok());
  REQUIRE(file->write(bytes_of("new")));
  REQUIRE(file->finish_without_checksum().ok());
  CHECK(fs::is_symlink(link));
  CHECK(read(path) == "new");
  CHECK(fs::status(path).permissions() ==
        (fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read));
  CHECK(directory.files() == 2);
}

TEST_CASE("paths that cannot be written are named") {
  const Directory directory;
  const auto refused = AtomicFile::create(directory.path.string());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kIo);
  CHECK(refused.error().message ==
        "'" + directory.path.string() + "' cannot be written: it exists and is not a regular file");
  const auto nowhere = AtomicFile::create((directory.path / "none" / "x").string());
  REQUIRE_FALSE(nowhere.ok());
  CHECK(nowhere.error().message.find("cannot write \"" + (directory.path / "none" / "x").string() + "\"") ==
        0);
}

TEST_CASE("reads stay within the file, and its checksum covers every byte") {
  Bytes file(24 + 8);
  const std::uint64_t count = 2;
  std::memcpy(file.data(), &count, 8);
  Hash64 hash;
  hash.add(std::span<const std::byte>(file).first(24));
  const std::uint64_t sum = hash.sum();
  std::memcpy(file.data() + 24, &sum, 8);

  const InputFile input = InputFile::in_memory(file, "p");
  FileReader reader(input);
  CHECK(reader.bytes_left() == 24);  // without the checksum
  std::vector<std::uint64_t> words;
  CHECK_FALSE(FileReader(input).read_counted(15, words));
  REQUIRE(reader.read_counted(16, words));
  CHECK(words.size() == 2);
  CHECK(reader.bytes_left() == 0);
  std::uint64_t word = 0;
  std::byte byte{};
  CHECK_FALSE(reader.word(word));
  CHECK_FALSE(reader.read({&byte, 1}));
  CHECK_FALSE(reader.skip(1));
  CHECK(reader.read({}));
  CHECK(reader.verify_checksum().ok());
  CHECK_FALSE(FileReader(input).skip_counted(9));  // two of nine bytes are not there
  std::vector<std::array<std::byte, 9>> nines;
  CHECK_FALSE(FileReader(input).read_counted(1000, nines));
  FileReader skipping(input);
  REQUIRE(skipping.skip_counted(8));
  CHECK(skipping.verify_checksum().ok());
  for (std::size_t at = 0; at < file.size(); ++at) {
    Bytes changed = file;
    changed[at] ^= std::byte{0x10};
    const InputFile damaged = InputFile::in_memory(changed, "p");
    FileReader all(damaged);
    REQUIRE(all.skip(24));
    CHECK(all.verify_checksum().error().message ==
          "\"p\" is damaged: its checksum does not match its contents");
  }
  CHECK(FileReader(input).verify_checksum().error().message == "\"p\" is damaged: it ends in its header");
  const Bytes seven(7);
  const InputFile short_input = InputFile::in_memory(seven, "p");
  CHECK(FileReader(short_input).verify_checksum().error().message ==
        "\"p\" is damaged: it ends in its header");
  CHECK(FileReader(short_input).bytes_left() == 0);
}

TEST_CASE("a file truncated while it is read is reported as truncated, not as damaged") {
  const Directory directory;
  const std::string path = (directory.path / "f").string();
  std::ofstream(path) << std::string(1 << 20, '\0');
  const InputFile input = InputFile::open(path).value();
  FileReader reader(input);
  REQUIRE(reader.skip(1 << 19));
  fs::resize_file(path, 1 << 18);
  CHECK_FALSE(reader.skip(reader.bytes_left()));
  for (const Error& error : {reader.damaged("x"), reader.refused("x")}) {
    CHECK(error.code == ErrorCode::kIo);
    CHECK(error.message.find("was shortened while it was read") != std::string::npos);
  }
}

TEST_CASE("a fingerprint depends on metadata, names, types, shapes and the ends of each tensor") {
  struct Parts {
    std::string key = "k", text = "v", tensor = "t";
    std::vector<float> array = {1, 2};
    std::vector<std::uint64_t> shape = {4, 1024};
    Dtype type = Dtype::kF32;
    std::size_t changed = 4096;  // an element of the tensor; past the end: no element
  };
  const auto of = [](const Parts& parts) {
    std::vector<float> values(4096, 0.5f);
    if (parts.changed < values.size()) values[parts.changed] = 0.25f;
    GgufWriter writer;
    writer.add(parts.key, parts.text).add("array", parts.array);
    writer.add_tensor(parts.tensor, parts.type, {parts.shape[0], parts.shape[1]}, values);
    const Bytes bytes = writer.bytes().value();
    return fingerprint(Gguf::parse(bytes, "m").value()).value();
  };
  const std::uint64_t same = of({});
  CHECK(of({}) == same);
  CHECK(of({.key = "l"}) != same);
  CHECK(of({.text = "w"}) != same);
  CHECK(of({.tensor = "u"}) != same);
  CHECK(of({.array = {1, 3}}) != same);
  CHECK(of({.array = {1}}) != same);
  CHECK(of({.shape = {8, 512}}) != same);
  CHECK(of({.type = Dtype::kF16}) != same);
  CHECK(of({.changed = 0}) != same);
  CHECK(of({.changed = 1023}) != same);
  CHECK(of({.changed = 1024}) == same);  // neither in the first 4 KiB nor in the last
  CHECK(of({.changed = 3072}) != same);
  CHECK(of({.changed = 4095}) != same);
}
