// convert(): a Hugging Face checkpoint to a GGUF model file.
#include "partita/convert.hpp"

#include <dirent.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "api/convert/checkpoint_family.h"
#include "api/convert/convert_config.h"
#include "api/convert/convert_head.h"
#include "api/convert/convert_tensors.h"
#include "api/convert/layer_copy.h"
#include "api/model_file.h"
#include "engine/models/config_reader.h"
#include "partita/model.hpp"
#include "weights/catch_all.h"
#include "weights/gguf/gguf.h"
#include "weights/input_file.h"
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

Result<Dtype> find_type(std::string_view wanted) {
  std::string known;
  for (const auto& [name, type] : kTypes) {
    if (name == wanted) return type;
    known += sentence(known.empty() ? "" : ", ", name);
  }
  return invalid("the type of matrices is ", quoted(wanted), ", and must be one of ", known);
}

constexpr std::string_view kTemplateFile = "chat_template.jinja";  // as transformers names it
constexpr std::size_t kMaxTemplate = std::size_t{1} << 20;

/// Whether a file name is one of a checkpoint.
bool is_of_checkpoint(const fs::path& file) {
  return file.extension() == ".json" || file.extension() == ".safetensors" ||
         file.filename() == kTemplateFile;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

/// Whether `path` is a file of the checkpoint, also under another name (a link). (std::filesystem's iterators
/// end the program when memory runs out.)
bool is_file_of(const std::string& checkpoint, const std::string& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(checkpoint.c_str()));
  if (directory == nullptr && errno == ENOMEM) throw std::bad_alloc();
  std::error_code none;
  while (const dirent* entry = directory != nullptr ? ::readdir(directory.get()) : nullptr) {
    const fs::path file = fs::path(checkpoint) / entry->d_name;
    if (is_of_checkpoint(file) && fs::equivalent(path, file, none)) return true;
  }
  return false;
}

/// Errors of the path that would otherwise appear after minutes of work, or destroy a file of the caller.
Result<void> check_target(const std::string& path, const std::string& checkpoint,
                          const std::string& vocabulary) {
  const fs::path directory = fs::path(path).parent_path();
  std::error_code none;
  if (path.empty() || fs::is_directory(path, none)) {
    return invalid("'", printable(path),
                   "' is not the name of a file to write: give a path that ends in a file name");
  }
  if (vocabulary != kBundledModel && fs::equivalent(path, vocabulary, none)) {
    return invalid("'", printable(path), "' is the model that the vocabulary comes from: name another file");
  }
  if (is_file_of(checkpoint, path)) {
    return invalid("'", printable(path), "' is a file of the checkpoint: name another file");
  }
  if (directory.empty() || fs::is_directory(directory, none)) return {};
  return Error{ErrorCode::kIo,
               sentence("there is no directory '", printable(directory.string()), "' for the model file")};
}

Result<SafeTensors> open_weights(const std::string& directory) {
  for (const std::string_view name : {"/model.safetensors", "/model.safetensors.index.json"}) {
    const std::string path = sentence(directory, name);
    if (std::error_code none; fs::exists(path, none)) return SafeTensors::open(path);
  }
  return Error{ErrorCode::kNotFound,
               sentence("'", printable(directory),
                        "' has neither a model.safetensors nor a model.safetensors.index.json; "
                        "save the model in that format")};
}

/// The checkpoint's own chat template; none without its file. It is copied unchecked: opening the model
/// reports what is wrong with it. Errors: those of InputFile; kBadFile for one that is too large.
Result<std::optional<std::string>> read_chat_template(const std::string& directory) {
  const std::string path = sentence(directory, "/", kTemplateFile);
  std::optional<std::string> text;
  if (std::error_code none; !fs::exists(path, none)) return text;
  auto file = read_text_file(path, "a chat template", kMaxTemplate);
  if (!file) return file.error();
  text = *std::move(file);
  return text;
}

/// Copies the tokenizer (tokens, merges, special ids) and the chat template, which `chat` replaces if there
/// is one.
Result<void> copy_vocabulary(const Gguf& from, std::uint32_t vocab, const std::optional<std::string>& chat,
                             GgufWriter& to) {
  const auto tokens = from.get_array("tokenizer.ggml.tokens");
  if (!tokens) return tokens.error();
  if ((*tokens)->size() != vocab) {
    return Error{ErrorCode::kBadFile,
                 sentence("'", from.path(), "' has ", (*tokens)->size(), " tokens, and vocab_size is ", vocab,
                          ": take the vocabulary that the model was trained with")};
  }
  constexpr std::string_view kChatTemplate = "tokenizer.chat_template";
  for (const GgufEntry& entry : from.metadata()) {
    const bool replaced = chat && entry.key == kChatTemplate;
    if (entry.key.starts_with("tokenizer.") && !replaced) to.copy(entry);
  }
  if (chat) to.add(kChatTemplate, *chat);
  return {};
}

void add_keys(const CheckpointConfig& c, GgufWriter& file) {
  for (const auto& [name, value] : c.keys.all()) {
    const std::string key = sentence(c.architecture, ".", name);
    std::visit([&](const auto& of_its_type) { file.add(key, of_its_type); }, value);
  }
}

void convert_tensors(const CheckpointConfig& c, TensorCopy& tensors, GgufWriter& file) {
  convert_embedding(c, tensors, file);
  for (std::size_t i = 0; i < c.layers && !tensors.error(); ++i) {
    LayerCopy layer(c, *c.family, i, tensors);
    c.family->layer(layer);
  }
  LayerCopy whole(c, *c.family, tensors);
  if (!c.family->names.norm.empty()) whole.norm(c.family->names.norm, "output_norm", c.hidden);
  if (c.family->globals != nullptr) c.family->globals(whole);
  for (const auto& [name, factors] : {std::pair{"rope_freqs.weight", &c.rope_factors},
                                      std::pair{"rope_factors_short.weight", &c.short_factors},
                                      std::pair{"rope_factors_long.weight", &c.long_factors}}) {
    if (!factors->empty()) tensors.write_vector(name, *factors);
  }
  convert_head(c, tensors, file);
  for (std::size_t i = c.layers; i < c.layers + c.nextn_layers; ++i)
    tensors.skip_all(sentence(c.family->names.layers, i, "."));
  if (!c.family->ignored.empty()) tensors.skip_all(c.family->ignored);
  tensors.check_leftovers();
}

/// What the engine says of the sizes in a model file that is still called `written`.
Result<void> check_written(const std::string& written, const std::string& path) {
  const auto file = Gguf::open(written);
  if (!file) return file.error();
  const auto config = read_config(*file);
  if (config) return {};
  Error error = config.error();
  const std::string& name = file->path();
  if (const auto at = error.message.find(name); at != std::string::npos)
    error.message.replace(at, name.size(), printable(path));
  return error;
}

/// The model's name: that of its directory.
std::string name_of(const std::string& directory) {
  std::error_code none;
  const fs::path whole = fs::canonical(directory, none);
  return whole.filename().string();
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
    TRY(check_target(path, checkpoint, options.vocabulary));
    const auto config = read_checkpoint_config(checkpoint + "/config.json");
    if (!config) return config.error();
    const auto vocabulary = open_model_file(options.vocabulary);
    if (!vocabulary) return vocabulary.error();
    const auto chat = read_chat_template(checkpoint);
    if (!chat) return chat.error();
    const auto weights = open_weights(checkpoint);
    if (!weights) return weights.error();

    GgufWriter file;
    file.add("general.architecture", config->architecture).add("general.name", name_of(checkpoint));
    add_keys(*config, file);
    TRY(copy_vocabulary(*vocabulary, config->vocab, *chat, file));
    TensorCopy tensors(*weights, config->larger, *type, options.progress, file);
    convert_tensors(*config, tensors, file);
    if (tensors.error()) return *tensors.error();
    // Everything else that allocates comes before writing, so that a failed call leaves no file.
    const fs::path target(path);
    ConvertResult result;
    result.path = path;
    result.head = config->head.name;
    result.layers = config->layers;
    result.vocab_size = config->vocab;
    result.tensors = tensors.tensors();
    result.parameters = tensors.parameters();
    result.in_f16 = tensors.in_f16();
    result.left_out = tensors.left_out();
    TRY(file.write(path, [&](const std::string& written) { return check_written(written, path); }));
    std::error_code none;
    result.file_bytes = fs::file_size(target, none);
    return result;
  });
}

}  // namespace partita
