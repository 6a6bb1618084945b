// Test files for weights/: recorded files, files built field by field, real models, temporary files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/gguf/gguf.h"

namespace partita::internal::test {

using Bytes = std::vector<std::byte>;

/// "[[]]" for a depth of 2.
inline std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

/// The whole of tests/data/weights/<name>.
Bytes read_recorded(const std::string& name);

/// The path of a real model in $PARTITA_TEST_MODELS, else in models/; nullopt if it is not there.
std::optional<std::string> find_model(const std::string& name);

/// A file in the system's temporary directory; its destructor removes it.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::span<const std::byte> content);
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Builds valid or invalid GGUF files; GgufWriter refuses to write invalid ones.
class RawFile {
 public:
  template <class T>
  RawFile& put(T value) {
    zeros(sizeof value);
    std::memcpy(bytes_.data() + bytes_.size() - sizeof value, &value, sizeof value);
    return *this;
  }
  RawFile& text(std::string_view characters);    // without a length
  RawFile& string(std::string_view characters);  // with one
  RawFile& header(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3);
  RawFile& key(std::string_view name, GgufType type);  // a value must follow
  RawFile& tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                  std::uint64_t offset);  // dims as in the file, fastest first
  RawFile& pad(std::size_t alignment = 32);
  RawFile& zeros(std::size_t count);

  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

}  // namespace partita::internal::test
