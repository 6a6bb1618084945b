#include "api/convert/open_checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <utility>
#include <variant>

#include "api/convert/checkpoint_family.h"
#include "api/convert/convert_config.h"
#include "api/convert/convert_head.h"
#include "api/convert/convert_tensors.h"
#include "api/convert/directory.h"
#include "api/convert/json_file.h"
#include "api/convert/layer_copy.h"
#include "weights/input_file.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTemplate = std::size_t{1} << 20;

/// The first file of pickled weights; empty: none.
std::string pickled(const std::string& directory) {
  const auto names = files_in(directory);
  const auto found = std::find_if(names.begin(), names.end(), [](const std::string& name) {
    return name.ends_with(".bin") || name.ends_with(".pt") || name.ends_with(".pth");
  });
  return found == names.end() ? std::string() : *found;
}

Result<std::shared_ptr<const SafeTensors>> open_weights(const std::string& directory) {
  for (const std::string_view name : {"/model.safetensors", "/model.safetensors.index.json"}) {
    const std::string path = sentence(directory, name);
    std::error_code none;
    if (!fs::exists(path, none)) continue;
    auto opened = SafeTensors::open(path);
    if (!opened) return opened.error();
    return std::make_shared<const SafeTensors>(*std::move(opened));
  }
  const std::string kept = pickled(directory);
  const std::string instead =
      kept.empty() ? ""
                   : sentence(", only ", internal::quoted(kept), ", which holds code that must not be run");
  return Error{ErrorCode::kNotFound,
               sentence("'", printable(directory),
                        "' has neither a model.safetensors nor a model.safetensors.index.json", instead,
                        "; save the model in that format: model.save_pretrained(directory) in transformers")};
}

/// A checkpoint's own chat templates by name; "default" is the usual one.
using OwnTemplates = std::map<std::string, std::string>;

std::optional<std::string> string_in(const nlohmann::json& object, const char* key) {
  const nlohmann::json* found = object.is_object() ? member(object, key) : nullptr;
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return found->get_ref<const std::string&>();
}

/// Whether a key of metadata can end in the name; others are left out.
bool is_template_name(std::string_view name) {
  constexpr std::size_t kMaxName = 60;
  return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

/// Those in tokenizer_config.json: a string, or several with names.
OwnTemplates templates_in(const nlohmann::json& config) {
  OwnTemplates templates;
  const nlohmann::json* found = member(config, "chat_template");
  if (found == nullptr || !found->is_array()) {
    if (auto only = string_in(config, "chat_template")) templates["default"] = *std::move(only);
    return templates;
  }
  for (const nlohmann::json& one : *found) {
    const auto name = string_in(one, "name");
    auto text = string_in(one, "template");
    if (name && text && is_template_name(*name)) templates[*name] = *std::move(text);
  }
  return templates;
}

/// Adds those in additional_chat_templates/, each in the file of its name.
Result<void> add_additional(const std::string& directory, OwnTemplates& templates) {
  const std::string folder = sentence(directory, "/additional_chat_templates");
  for (const std::string& file : files_in(folder)) {
    const fs::path path = fs::path(folder) / file;
    const std::string name = path.stem().string();
    if (path.extension() != ".jinja" || !is_template_name(name)) continue;
    auto text = read_text_file(path.string(), "a chat template", kMaxTemplate);
    if (!text) return text.error();
    templates[name] = *std::move(text);
  }
  return {};
}

/// The checkpoint's own chat templates; none without a file that has one. They are copied unchecked: opening
/// the model reports what is wrong with them. Errors: those of InputFile and read_json_file(); kBadFile for
/// one that is too large.
Result<OwnTemplates> read_chat_templates(const std::string& directory) {
  const std::string path = sentence(directory, "/", kTemplateFile);
  if (std::error_code none; !fs::exists(path, none)) {
    const auto config = read_json_file(directory + "/tokenizer_config.json");
    return config ? templates_in(*config) : Result<OwnTemplates>(config.error());
  }
  auto text = read_text_file(path, "a chat template", kMaxTemplate);
  if (!text) return text.error();
  OwnTemplates templates;
  templates["default"] = *std::move(text);
  TRY(add_additional(directory, templates));
  return templates;
}

/// The ids in "eos_token_id" of generation_config.json, a number or several.
Result<std::vector<std::uint32_t>> read_end_ids(const std::string& directory, std::uint32_t vocab) {
  const std::string path = directory + "/generation_config.json";
  const auto config = read_json_file(path);
  if (!config) return config.error();
  const nlohmann::json* found = member(*config, "eos_token_id");
  std::vector<std::uint32_t> ids;
  if (found == nullptr || found->is_null()) return ids;
  const auto add = [&](const nlohmann::json& id) {
    const auto* number = id.is_number_unsigned() ? id.get_ptr<const std::uint64_t*>() : nullptr;
    if (number == nullptr || *number >= vocab) return false;
    ids.push_back(static_cast<std::uint32_t>(*number));
    return true;
  };
  if (found->is_array() ? std::all_of(found->begin(), found->end(), add) : add(*found)) return ids;
  return Error{ErrorCode::kBadFile, sentence("'", printable(path), "': eos_token_id must have ids below the ",
                                             vocab, " of vocab_size")};
}

/// Adds those that the vocabulary does not name: as the end of an answer, of a turn, of a message.
void add_end_ids(const Gguf& vocabulary, const std::vector<std::uint32_t>& ids, GgufWriter& to) {
  std::vector<std::string_view> free;
  std::vector<std::uint64_t> known;
  for (const std::string_view key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const auto id = vocabulary.get_uint(key);
    id ? known.push_back(*id) : free.push_back(key);
  }
  auto key = free.begin();
  for (const std::uint32_t id : ids) {
    if (std::find(known.begin(), known.end(), id) != known.end() || key == free.end()) continue;
    known.push_back(id);
    to.add(*key++, id);
  }
}

/// Copies the tokenizer (tokens, merges, special ids) and the chat templates, which those of `own` replace if
/// there are any.
Result<void> copy_vocabulary(const Gguf& from, std::uint32_t vocab, const OwnTemplates& own, GgufWriter& to) {
  const auto tokens = from.get_array("tokenizer.ggml.tokens");
  if (!tokens) return tokens.error();
  if ((*tokens)->size() != vocab) {
    return Error{ErrorCode::kBadFile,
                 sentence("'", from.path(), "' has ", (*tokens)->size(), " tokens, and vocab_size is ", vocab,
                          ": take the vocabulary that the model was trained with")};
  }
  constexpr std::string_view kChatTemplate = "tokenizer.chat_template";
  for (const GgufEntry& entry : from.metadata()) {
    const bool replaced = !own.empty() && entry.key.starts_with(kChatTemplate);
    if (entry.key.starts_with("tokenizer.") && !replaced) to.copy(entry);
  }
  for (const auto& [name, text] : own)
    to.add(name == "default" ? std::string(kChatTemplate) : sentence(kChatTemplate, ".", name), text);
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
    if (!factors->empty()) tensors.write_numbers(name, *factors);
  }
  convert_head(c, tensors, file);
  for (std::size_t i = c.layers; i < c.layers + c.nextn_layers; ++i)
    tensors.skip_all(sentence(c.family->names.layers, i, "."));
  if (!c.family->ignored.empty()) tensors.skip_all(c.family->ignored);
  tensors.check_leftovers();
}

/// The model's name: that of its directory.
std::string name_of(const std::string& directory) {
  std::error_code none;
  const fs::path whole = fs::canonical(directory, none);
  return whole.filename().string();
}

TensorMap map_of(const CheckpointConfig& config, TensorCopy& tensors, std::shared_ptr<const void> owner) {
  const bool dense = config.head.kind == HeadConfig::Kind::kDense;
  return {tensors.take_written(), dense ? sentence(config.family->names.head, ".weight") : "",
          config.tied && config.head_scale == config.embedding_scale, std::move(owner)};
}

/// Families whose conversion needs nothing of config.json but sizes.
constexpr std::string_view kToldBySizes[] = {"gemma", "gemma2",   "gemma3",  "llama",     "mistral3",
                                             "olmo2", "olmoe",    "phi3",    "qwen2",     "qwen2moe",
                                             "qwen3", "qwen3moe", "smollm3", "starcoder2"};

/// The sizes in a model file that those of a checkpoint come from.
CheckpointConfig sizes_of(const Config& from, const CheckpointFamily& family) {
  CheckpointConfig c;
  c.family = &family;
  c.architecture = family.architecture;
  c.hidden = from.hidden_size;
  c.layers = from.layers;
  c.heads = from.heads;
  c.kv_heads = from.kv_heads;
  c.head_dim = c.value_dim = from.head_dim;
  c.ffn = from.ffn_size;
  c.vocab = from.vocab_size;
  c.rotary_dim = c.local_rotary_dim = from.rope_dims;
  c.experts = from.moe.experts;
  c.expert_ffn = from.moe.ffn_size;
  c.shared_ffn = from.moe.shared_ffn_size;
  c.conv_width = from.recurrent.taps;
  for (const LayerSizes& layer : from.layer_sizes) {
    c.head_sizes.push_back({layer.heads, layer.kv_heads, layer.head_dim, layer.value_dim});
    c.heads_of_layers.push_back(layer.heads);
    c.kv_heads_of_layers.push_back(layer.kv_heads);
    c.ffn_of_layers.push_back(layer.ffn);
  }
  return c;
}

}  // namespace

Result<OpenCheckpoint> open_checkpoint(const std::string& directory, const VocabularyPaths& paths,
                                       std::optional<Dtype> type, std::shared_ptr<const Merges> merges) {
  auto config = read_checkpoint_config(directory + "/config.json");
  if (!config) return config.error();
  const auto vocabulary = open_vocabulary(directory, paths, config->vocab);
  if (!vocabulary) return vocabulary.error();
  const auto chat = read_chat_templates(directory);
  if (!chat) return chat.error();
  const auto ends = read_end_ids(directory, config->vocab);
  if (!ends) return ends.error();
  const auto weights = open_weights(directory);
  if (!weights) return weights.error();

  OpenCheckpoint out;
  out.file.add("general.architecture", config->architecture).add("general.name", name_of(directory));
  add_keys(*config, out.file);
  TRY(copy_vocabulary(*vocabulary, config->vocab, *chat, out.file));
  add_end_ids(*vocabulary, *ends, out.file);
  TensorCopy tensors(*weights, config->larger, type, out.file);
  tensors.merge(std::move(merges));
  convert_tensors(*config, tensors, out.file);
  if (tensors.error()) return *tensors.error();
  out.tensors = tensors.tensors();
  out.parameters = tensors.parameters();
  out.in_f16 = tensors.in_f16();
  out.left_out = tensors.left_out();
  out.map = map_of(*config, tensors, *weights);
  out.config = *std::move(config);
  return out;
}

Result<TensorMap> map_checkpoint(const std::string& directory) {
  auto config = read_checkpoint_config(directory + "/config.json");
  if (!config) return config.error();
  const auto weights = open_weights(directory);
  if (!weights) return weights.error();
  GgufWriter file;
  TensorCopy tensors(*weights, config->larger, std::nullopt, file);
  convert_tensors(*config, tensors, file);
  if (tensors.error()) return *tensors.error();
  return map_of(*config, tensors, *weights);
}

Result<TensorMap> map_model(const Config& from, const std::set<std::string, std::less<>>& known) {
  const auto* const told = std::find(std::begin(kToldBySizes), std::end(kToldBySizes), from.family);
  const CheckpointFamily* const family =
      told == std::end(kToldBySizes) ? nullptr : find_family_of_architecture(from.family);
  const Error unknown{
      ErrorCode::kUnsupported,
      sentence("an adapter in the names of checkpoints cannot be applied to a model file of the family ",
               internal::quoted(from.family),
               ": give the checkpoint's directory as the model, or the adapter as a GGUF file")};
  if (family == nullptr) return unknown;
  const CheckpointConfig config = sizes_of(from, *family);
  GgufWriter file;
  const std::shared_ptr<TensorCopy> tensors = TensorCopy::sketch(known, file);
  convert_tensors(config, *tensors, file);
  if (tensors->error()) return unknown;
  return map_of(config, *tensors, tensors);
}

}  // namespace partita::internal
