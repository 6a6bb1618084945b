// A checkpoint in three texts, each up to a NUL: config.json, the header of its safetensors file, the type of
// matrices. The data behind the header is as long as the header says, up to a megabyte, and always the same
// number. What can be converted is a model that runs; without a type it is also what the directory is by
// itself.
#include "partita/convert.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "api/model_file.h"
#include "tests/fuzz/support.h"
#include "weights/gguf/gguf.h"

namespace partita::internal::fuzz {
namespace {

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
