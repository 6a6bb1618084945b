#include "tests/fuzz/support.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/api/tiny_chat.h"
#include "weights/hash.h"
#include "weights/json/reader.h"

namespace partita::internal::fuzz {
namespace {

namespace fs = std::filesystem;

OpenOptions one_thread() {
  OpenOptions options;
  options.threads = 1;
  return options;
}

class Directory {
 public:
  Directory() {
    std::error_code none;
    const fs::path memory = "/dev/shm";
    const bool usable = fs::is_directory(memory, none) && ::access(memory.c_str(), W_OK) == 0;
    const fs::path parent = usable && std::getenv("TMPDIR") == nullptr ? memory : fs::temp_directory_path();
    path_ = (parent / "partita_fuzz_XXXXXX").string();
    require(::mkdtemp(path_.data()) != nullptr);
  }
  ~Directory() {
    std::error_code none;
    fs::remove_all(path_, none);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr std::uint64_t kMostData = 1 << 20;

/// The end of the last tensor, as far as the header can be read.
std::uint64_t data_bytes(std::string_view header) {
  const auto json = read_json(header, "the header", JsonLimits());
  if (!json || !json->is_object()) return 0;
  std::uint64_t end = 0;
  for (const auto& tensor : *json) {
    if (!tensor.is_object() || !tensor.contains("data_offsets")) continue;
    const auto& offsets = tensor["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[1].is_number_unsigned()) continue;
    end = std::max(end, offsets[1].get<std::uint64_t>());
  }
  return std::min(end, kMostData);
}

}  // namespace

MemoryFile::MemoryFile(std::string_view contents) : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
  require(fd_ >= 0);
  while (!contents.empty()) {
    const ssize_t written = ::write(fd_, contents.data(), contents.size());
    require(written > 0);
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  path_ = "/proc/self/fd/" + std::to_string(fd_);
}

MemoryFile::~MemoryFile() { ::close(fd_); }

const std::string& scratch_directory() {
  static const Directory directory;
  return directory.path();
}

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, std::string_view contents) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(contents.data(), static_cast<std::streamsize>(contents.size()));
}

void renew_checksum(std::string& bytes) {
  if (bytes.size() < sizeof(std::uint64_t)) return;
  Hash64 hash;
  hash.add(std::as_bytes(std::span(bytes)).first(bytes.size() - sizeof(std::uint64_t)));
  const std::uint64_t sum = hash.sum();
  std::memcpy(bytes.data() + bytes.size() - sizeof sum, &sum, sizeof sum);
}

std::string with_changes(std::string bytes, Input& changes) {
  while (!changes.empty()) {
    const std::size_t at = std::min<std::size_t>(changes.number(3), bytes.size());
    const unsigned kind = changes.byte() % 4;
    const std::string piece = changes.string(255);
    const std::size_t covered = std::min(piece.size(), bytes.size() - at);
    if (kind == 3) {
      bytes.resize(at);
    } else {
      bytes.replace(at, kind == 1 ? 0 : covered, kind == 2 ? std::string() : piece);
    }
  }
  return bytes;
}

std::string safetensors_of(std::string_view header) {
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  // 0x3C3C3C3C is 0.0115 as F32 and BF16, 1.06 as F16.
  return file.append(header).append(static_cast<std::size_t>(data_bytes(header)), '\x3C');
}

const Model& tiny_model() {
  static const testing::ChatModelFile file;
  static const Model model = testing::must(Model::open(file.path(), one_thread()));
  return model;
}

bool runs(const std::string& model_path) {
  const auto model = Model::open(model_path, one_thread());
  if (!model) return require_message(model.error()), false;
  auto session = model->session();
  if (!session) return require_message(session.error()), false;
  Request request;
  request.prompt = "hello";
  request.max_tokens = 2;
  request.sampling.temperature = 0;
  auto stream = session->generate(request);
  if (!stream) return require_message(stream.error()), false;
  while (true) {
    const auto token = stream->next();
    if (!token) return require_message(token.error()), false;  // NaN weights
    if (!*token) return true;
  }
}

}  // namespace partita::internal::fuzz
