// A checkpoint in three texts, each up to a NUL: config.json, the header of its safetensors file, the type of
// matrices. The data behind the header is as long as the header says, up to a megabyte, and always the same
// number. What can be converted is a model that runs; without a type it is also what the directory is by
// itself.
#include "partita/convert.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <vector>

#include "api/model_file.h"
#include "tests/fuzz/support.h"
#include "weights/gguf/gguf.h"
#include "weights/json/reader.h"

namespace partita::internal::fuzz {
namespace {

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

std::string safetensors_of(std::string_view header) {
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  // 0x3C3C3C3C is 0.0115 as F32 and BF16, 1.06 as F16.
  return file.append(header).append(static_cast<std::size_t>(data_bytes(header)), '\x3C');
}

const std::string& checkpoint_directory() {
  static const std::string path = [] {
    const std::string directory = scratch_directory() + "/checkpoint";
    std::filesystem::create_directory(directory);
    return directory;
  }();
  return path;
}

/// The directory is the model file at `path`.
void check_directory(const std::string& path, const std::string& vocabulary) {
  const auto directory = open_model_file(checkpoint_directory(), vocabulary);
  const auto file = Gguf::open(path);
  require(directory.ok() && file.ok());
  require(directory->metadata().size() == file->metadata().size());
  require(directory->tensors().size() == file->tensors().size());
  std::vector<std::byte> computed, stored;
  for (const TensorView& tensor : directory->tensors()) {
    const TensorView* twin = file->find_tensor(tensor.name);
    require(twin != nullptr && twin->dtype == tensor.dtype && twin->bytes.size() == tensor.bytes.size());
    const auto one = directory->read(tensor.bytes, computed), other = file->read(twin->bytes, stored);
    require(one.ok() && other.ok() && std::equal(one->begin(), one->end(), other->begin()));
  }
}

}  // namespace

void run_convert(Bytes bytes) {
  Input input(bytes);
  put(checkpoint_directory() + "/config.json", input.text());
  put(checkpoint_directory() + "/model.safetensors", safetensors_of(input.text()));
  ConvertOptions options;
  options.vocabulary = tiny_model().info().path;
  if (!input.empty()) options.type = input.text();
  const std::string path = scratch_directory() + "/converted.gguf";
  const auto converted = convert(checkpoint_directory(), path, options);
  if (!converted) return require_message(converted.error());
  if (options.type.empty()) check_directory(path, options.vocabulary);
  runs(path);
}

}  // namespace partita::internal::fuzz
