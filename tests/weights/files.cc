#include "files.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/catch.h"

namespace partita::internal::test {

Bytes read_recorded(const std::string& name) {
  std::ifstream file(std::string(PARTITA_TEST_DATA) + "/weights/" + name, std::ios::binary);
  REQUIRE(file);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  const auto* first = reinterpret_cast<const std::byte*>(content.data());
  return Bytes(first, first + content.size());
}

std::optional<std::string> find_model(const std::string& name) {
  const char* directory = std::getenv("PARTITA_TEST_MODELS");
  const std::string models =
      directory != nullptr ? directory : std::string(PARTITA_TEST_DATA) + "/../../models";
  const std::string path = models + "/" + name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

TemporaryFile::TemporaryFile(std::span<const std::byte> content) {
  path_ = (std::filesystem::temp_directory_path() / "partita_weights_XXXXXX").string();
  const int fd = ::mkstemp(path_.data());
  REQUIRE(fd >= 0);
  const ssize_t written = ::write(fd, content.data(), content.size());
  ::close(fd);
  REQUIRE(written == static_cast<ssize_t>(content.size()));
}

TemporaryFile::~TemporaryFile() { ::unlink(path_.c_str()); }

RawFile& RawFile::text(std::string_view characters) {
  for (const char c : characters) put(c);
  return *this;
}

RawFile& RawFile::string(std::string_view characters) {
  return put<std::uint64_t>(characters.size()).text(characters);
}

RawFile& RawFile::header(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version) {
  return text("GGUF").put(version).put(tensors).put(keys);
}

RawFile& RawFile::key(std::string_view name, GgufType type) { return string(name).put(type); }

RawFile& RawFile::tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                         std::uint64_t offset) {
  string(name).put(static_cast<std::uint32_t>(dims.size()));
  for (const std::uint64_t dim : dims) put(dim);
  return put(type).put(offset);
}

RawFile& RawFile::pad(std::size_t alignment) {
  return zeros((alignment - bytes_.size() % alignment) % alignment);
}

RawFile& RawFile::zeros(std::size_t count) {
  bytes_.resize(bytes_.size() + count);
  return *this;
}

}  // namespace partita::internal::test
