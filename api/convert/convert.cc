// convert(): a Hugging Face checkpoint to a GGUF model file.
#include "partita/convert.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "api/adapters/adapters.h"
#include "api/adapters/peft_adapter.h"
#include "api/adapters/read_adapter.h"
#include "api/convert/directory.h"
#include "api/convert/open_checkpoint.h"
#include "api/output_path.h"
#include "engine/models/config_reader.h"
#include "partita/model.hpp"
#include "weights/catch_all.h"
#include "weights/gguf/writer.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

namespace fs = std::filesystem;

struct NamedType {
  std::string_view name;
  Dtype type;
};

/// The types that matrices can be converted to.
constexpr NamedType kTypes[] = {{"f32", Dtype::kF32},   {"f16", Dtype::kF16},   {"bf16", Dtype::kBF16},
                                {"q4_0", Dtype::kQ4_0}, {"q4_1", Dtype::kQ4_1}, {"q5_0", Dtype::kQ5_0},
                                {"q5_1", Dtype::kQ5_1}, {"q8_0", Dtype::kQ8_0}};

/// No type for an empty name.
Result<std::optional<Dtype>> find_type(std::string_view wanted) {
  if (wanted.empty()) return std::optional<Dtype>();
  std::string known;
  for (const auto& [name, type] : kTypes) {
    if (name == wanted) return std::optional(type);
    known += sentence(known.empty() ? "" : ", ", name);
  }
  return invalid("the type of matrices is ", quoted(wanted), ", and must be one of ", known);
}

/// Whether a file name is one of a checkpoint.
bool is_of_checkpoint(const fs::path& file) {
  return file.extension() == ".json" || file.extension() == ".safetensors" ||
         file.extension() == ".tiktoken" || file.filename() == kTemplateFile ||
         file.filename() == "tokenizer.model" || file.filename() == "tiktoken.model";
}

/// Whether `path` is a file of the checkpoint, also under another name (a link).
bool is_file_of(const std::string& checkpoint, const std::string& path) {
  const auto names = files_in(checkpoint);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    std::error_code none;
    const fs::path file = fs::path(checkpoint) / name;
    return is_of_checkpoint(file) && fs::equivalent(path, file, none);
  });
}

/// check_other_file() of the files of an adapter.
Result<void> check_not_adapter(const std::string& path, const std::string& adapter) {
  constexpr std::string_view kWhat = "a file of an adapter that is read";
  TRY(check_other_file(path, adapter, kWhat));
  if (!is_peft_directory(adapter)) return {};
  for (const std::string& name : files_in(adapter))
    TRY(check_other_file(path, (fs::path(adapter) / name).string(), kWhat));
  return {};
}

/// Errors of the path that would otherwise appear after minutes of work, or destroy a file of the caller.
Result<void> check_target(const std::string& path, const std::string& checkpoint,
                          const ConvertOptions& options) {
  TRY(check_output_path(path));
  for (const std::string& vocabulary : {options.vocabulary, options.other_vocabulary}) {
    if (vocabulary != kBundledModel)
      TRY(check_other_file(path, vocabulary, "the model that the vocabulary comes from"));
  }
  for (const MergedAdapter& adapter : options.adapters) TRY(check_not_adapter(path, adapter.path));
  if (!is_file_of(checkpoint, path)) return {};
  return invalid("'", printable(path), "' is a file of the checkpoint: name another file");
}

/// What the engine says of the sizes in a model file.
Result<void> check_sizes(const GgufWriter& writer, const std::string& path) {
  const auto file = writer.open(printable(path));
  if (!file) return file.error();
  const auto config = read_config(*file);
  return config ? Result<void>() : Result<void>(config.error());
}

/// Adds an adapter to those that are merged, and to the list of them.
Result<void> merge(const MergedAdapter& adapter, const OpenCheckpoint& checkpoint, Merges& merges,
                   std::vector<AdapterInfo>& list) {
  TRY(check_scale(adapter.path, adapter.scale));
  auto tensors = read_adapter(adapter.path, checkpoint.config.architecture,
                              [&](const auto&) { return Result<TensorMap>(checkpoint.map); });
  if (!tensors) return tensors.error();
  std::map<std::string, std::vector<std::uint64_t>> shapes;
  for (const WrittenTensor& tensor : checkpoint.map.tensors) shapes.emplace(tensor.name, tensor.shape);
  AdapterInfo info{tensors->path, tensors->name, digest_of(*tensors), 0, tensors->pairs.size(), 0};
  for (const AdapterPair& pair : tensors->pairs) {
    info.rank = std::max(info.rank, pair.rank);
    info.bytes += (pair.a.size() + pair.b.size()) * sizeof(float);
  }
  const auto same = [&](const AdapterInfo& other) { return other.name == info.name; };
  if (std::any_of(list.begin(), list.end(), same))
    return invalid("two adapters have the name ", internal::quoted(info.name),
                   ", the last part of their paths: rename one of them");
  TRY(merges.add(*std::move(tensors), adapter.scale, shapes));
  list.push_back(std::move(info));
  return {};
}

}  // namespace

std::span<const std::string_view> convert_types() noexcept {
  static constexpr auto kNames = [] {
    std::array<std::string_view, std::size(kTypes)> names;
    std::transform(std::begin(kTypes), std::end(kTypes), names.begin(),
                   [](const NamedType& type) { return type.name; });
    return names;
  }();
  return kNames;
}

Result<ConvertResult> convert(const std::string& checkpoint, const std::string& path,
                              const ConvertOptions& options) {
  return catch_all([&]() -> Result<ConvertResult> {
    const auto type = find_type(options.type);
    if (!type) return type.error();
    if (checkpoint.empty()) {
      return invalid("the directory of the checkpoint has no name");
    }
    if (options.adapters.size() > kMaxAdapters)
      return invalid("a conversion has ", options.adapters.size(), " adapters; the limit is ", kMaxAdapters);
    TRY(check_target(path, checkpoint, options));
    const auto merges = options.adapters.empty() ? nullptr : std::make_shared<Merges>();
    const auto opened =
        open_checkpoint(checkpoint, {options.vocabulary, options.other_vocabulary, true}, *type, merges);
    if (!opened) return opened.error();
    ConvertResult result;
    for (const MergedAdapter& adapter : options.adapters) {
      TRY(merge(adapter, *opened, *merges, result.adapters));
    }
    TRY(check_sizes(opened->file, path));
    // Everything else that allocates comes before writing, so that a failed call leaves no file.
    const fs::path target(path);
    result.path = path;
    result.head = opened->config.head.name;
    result.layers = opened->config.layers;
    result.vocab_size = opened->config.vocab;
    result.tensors = opened->tensors;
    result.parameters = opened->parameters;
    result.in_f16 = opened->in_f16;
    result.left_out = opened->left_out;
    TRY(opened->file.write(path, options.progress));
    std::error_code none;
    result.file_bytes = fs::file_size(target, none);
    return result;
  });
}

}  // namespace partita
