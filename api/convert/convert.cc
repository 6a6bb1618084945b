// convert(): a Hugging Face checkpoint of a Llama to a GGUF model file.
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

#include "api/convert/convert_config.h"
#include "api/convert/convert_head.h"
#include "api/convert/convert_tensors.h"
#include "api/model_file.h"
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

void add_sizes(const CheckpointConfig& c, GgufWriter& file) {
  file.add("llama.block_count", c.layers)
      .add("llama.context_length", c.context)
      .add("llama.embedding_length", c.hidden)
      .add("llama.feed_forward_length", c.ffn)
      .add("llama.attention.head_count", c.heads)
      .add("llama.attention.head_count_kv", c.kv_heads)
      .add("llama.attention.key_length", c.head_dim)
      .add("llama.attention.value_length", c.head_dim)
      .add("llama.attention.layer_norm_rms_epsilon", static_cast<float>(c.norm_eps))
      .add("llama.rope.dimension_count", c.head_dim)
      .add("llama.rope.freq_base", static_cast<float>(c.rope_base))
      .add("llama.vocab_size", c.vocab);
}

/// Permutes the rows of Q or K for RoPE: the two rows of a rotary pair are half a head apart in a checkpoint,
/// and adjacent in a GGUF file of this family. Row h * head_dim + 2 i + b (b = 0, 1) is row h * head_dim + i
/// + b * head_dim / 2.
std::vector<float> interleaved(std::span<const float> values, std::size_t head_dim, std::size_t cols) {
  std::vector<float> out(values.size());
  const std::size_t half = head_dim / 2;
  for (std::size_t row = 0; row * cols < values.size(); ++row) {
    const std::size_t in_head = row % head_dim;
    const auto from = values.subspan((row - in_head + in_head / 2 + in_head % 2 * half) * cols, cols);
    std::copy(from.begin(), from.end(), out.begin() + static_cast<std::ptrdiff_t>(row * cols));
  }
  return out;
}

void convert_layer(const CheckpointConfig& c, std::size_t index, TensorCopy& tensors) {
  const std::string from = sentence("model.layers.", index, "."), to = sentence("blk.", index, ".");
  const auto matrix = [&](std::string_view name, std::string_view out, std::size_t rows, std::size_t cols) {
    tensors.matrix(sentence(from, name, ".weight"), sentence(to, out, ".weight"), rows, cols);
  };
  const auto rotary = [&](std::string_view name, std::string_view out, std::size_t rows) {
    const auto values = tensors.read(sentence(from, name, ".weight"), {rows, c.hidden});
    tensors.write_matrix(sentence(to, out, ".weight"), rows, c.hidden,
                         interleaved(values, c.head_dim, c.hidden));
  };
  const auto norm = [&](std::string_view name, std::string_view out) {
    tensors.vector(sentence(from, name, ".weight"), sentence(to, out, ".weight"), c.hidden);
  };
  const std::size_t q_rows = std::size_t{c.heads} * c.head_dim,
                    kv_rows = std::size_t{c.kv_heads} * c.head_dim;
  norm("input_layernorm", "attn_norm");
  rotary("self_attn.q_proj", "attn_q", q_rows);
  rotary("self_attn.k_proj", "attn_k", kv_rows);
  matrix("self_attn.v_proj", "attn_v", kv_rows, c.hidden);
  matrix("self_attn.o_proj", "attn_output", c.hidden, q_rows);
  norm("post_attention_layernorm", "ffn_norm");
  matrix("mlp.gate_proj", "ffn_gate", c.ffn, c.hidden);
  matrix("mlp.up_proj", "ffn_up", c.ffn, c.hidden);
  matrix("mlp.down_proj", "ffn_down", c.hidden, c.ffn);
}

void convert_tensors(const CheckpointConfig& c, TensorCopy& tensors, GgufWriter& file) {
  convert_embedding(c, tensors, file);
  for (std::size_t i = 0; i < c.layers && !tensors.error(); ++i) convert_layer(c, i, tensors);
  tensors.vector("model.norm.weight", "output_norm.weight", c.hidden);
  convert_head(c, tensors, file);
  tensors.check_leftovers();
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
    file.add("general.architecture", "llama").add("general.name", name_of(checkpoint));
    add_sizes(*config, file);
    TRY(copy_vocabulary(*vocabulary, config->vocab, *chat, file));
    TensorCopy tensors(*weights, *type, options.progress, file);
    convert_tensors(*config, tensors, file);
    if (tensors.error()) return *tensors.error();
    // Everything that allocates comes before writing, so that a failed call leaves no file.
    const fs::path target(path);
    ConvertResult result;
    result.path = path;
    result.head = config->head.name;
    result.layers = config->layers;
    result.vocab_size = config->vocab;
    result.tensors = tensors.tensors();
    result.parameters = tensors.parameters();
    result.in_f16 = tensors.in_f16();
    TRY(file.write(path));
    std::error_code none;
    result.file_bytes = fs::file_size(target, none);
    return result;
  });
}

}  // namespace partita
