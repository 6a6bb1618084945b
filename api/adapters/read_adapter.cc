#include "api/adapters/read_adapter.h"

#include <cmath>
#include <filesystem>

#include "api/adapters/gguf_adapter.h"
#include "api/adapters/peft_adapter.h"
#include "api/gguf_file.h"
#include "partita/model.hpp"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// The last part of a path, without ".gguf".
std::string name_of(const std::string& path) {
  std::filesystem::path whole(path);
  if (whole.filename().empty()) whole = whole.parent_path();
  return whole.extension() == ".gguf" ? whole.stem().string() : whole.filename().string();
}

Result<AdapterTensors> read_peft(const std::string& path, const MapMaker& make_map) {
  const auto adapter = PeftAdapter::open(path);
  if (!adapter) return adapter.error();
  const auto map = make_map(adapter->tensors());
  return map ? adapter->pairs(*map) : map.error();
}

/// What is wrong with a path at which people look for an adapter of PEFT.
Result<void> check_gguf_path(const std::string& path) {
  const std::filesystem::path whole(path);
  std::error_code none;
  if (std::filesystem::is_directory(whole, none))
    return Error{ErrorCode::kUnsupported, sentence("'", printable(path),
                                                   "' is a directory without adapter_config.json: give the "
                                                   "directory of an adapter of PEFT, or a GGUF adapter")};
  if (whole.filename() == "adapter_model.safetensors" || whole.filename() == "adapter_config.json")
    return Error{ErrorCode::kUnsupported,
                 sentence("'", printable(path), "' is a file of an adapter of PEFT: give its directory")};
  return {};
}

Result<AdapterTensors> read_gguf(const std::string& path, std::string_view family) {
  TRY(check_gguf_path(path));
  const auto file = open_gguf_file(path);
  return file ? read_gguf_adapter(*file, family) : file.error();
}

}  // namespace

Result<AdapterTensors> read_adapter(const std::string& path, std::string_view family, const MapMaker& map) {
  if (path == kBundledModel || path.empty())
    return invalid("an adapter has the path ", internal::quoted(path),
                   ": give that of a GGUF file or of a directory");
  auto tensors = is_peft_directory(path) ? read_peft(path, map) : read_gguf(path, family);
  if (!tensors) return tensors.error();
  tensors->path = path;
  tensors->name = name_of(path);
  return tensors;
}

Result<void> check_scale(const std::string& path, float scale) {
  constexpr int kMaxScale = 1000;
  if (std::fabs(scale) <= kMaxScale) return {};
  return invalid("the scale of the adapter '", printable(path), "' is ",
                 rounded_text(static_cast<double>(scale)), "; it must be from -", kMaxScale, " to ",
                 kMaxScale);
}

}  // namespace partita::internal
