#include "api/adapters/peft_adapter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

#include "api/adapters/pair_maker.h"
#include "api/convert/json_file.h"
#include "weights/input_file.h"
#include "weights/json/reader.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using nlohmann::json;

constexpr const char *kConfig = "/adapter_config.json", *kTensors = "/adapter_model.safetensors";

/// What an adapter can have besides LoRA, by the keys of adapter_config.json; false, null and nothing are
/// not.
constexpr const char* kOthers[] = {
    "use_dora",          "lora_bias",         "modules_to_save",  "use_qalora",   "alora_invocation_tokens",
    "layer_replication", "target_parameters", "use_bdlora",       "arrow_config", "trainable_token_indices",
    "kasa_config",       "velora_config",     "monteclora_config"};

/// Values of init_lora_weights besides true and false with which training starts from the base as it is. The
/// others (pissa, olora, corda, loftq, lora_ga) subtract B A from it first.
constexpr std::string_view kPlainStarts[] = {"gaussian", "Gaussian", "eva", "orthogonal", "mica"};

bool is_nothing(const json& value) {
  return value.is_null() || value == false || ((value.is_array() || value.is_object()) && value.empty());
}

bool is_text(const json& value, std::string_view text) {
  return value.is_string() && value.get_ref<const std::string&>() == text;
}

class ConfigReader {
 public:
  ConfigReader(const json& object, std::string name) : object_(object), name_(std::move(name)) {}

  Result<PeftConfig> read() const {
    TRY(check_kind());
    PeftConfig config;
    const auto alpha = number_of("lora_alpha", 8);
    if (!alpha) return alpha.error();
    config.alpha = *alpha;
    for (const auto& [key, to] : {std::pair{"use_rslora", &config.rank_stabilized},
                                  std::pair{"fan_in_fan_out", &config.transposed}}) {
      const json* const value = member(object_, key);
      if (value == nullptr || value->is_null()) continue;
      if (!value->is_boolean()) return wrong(ErrorCode::kBadFile, key, "it must be true or false");
      *to = value->get<bool>();
    }
    TRY(read_alphas(config));
    return config;
  }

 private:
  Error wrong(ErrorCode code, const char* key, std::string_view why) const {
    const json* const value = member(object_, key);
    return {code,
            sentence("'", name_, "': ", key, " is ",
                     value == nullptr ? "missing"
                                      : shortened(value->dump(-1, ' ', true, json::error_handler_t::replace)),
                     ", and ", why)};
  }

  Result<void> check_kind() const {
    const json* const type = member(object_, "peft_type");
    if (type == nullptr || !is_text(*type, "LORA"))
      return wrong(ErrorCode::kUnsupported, "peft_type", "must be \"LORA\"");
    const json* const bias = member(object_, "bias");
    if (bias != nullptr && !bias->is_null() && !is_text(*bias, "none"))
      return wrong(ErrorCode::kUnsupported, "bias", "only \"none\" is supported: train without biases");
    for (const char* key : kOthers) {
      const json* const value = member(object_, key);
      if (value != nullptr && !is_nothing(*value))
        return wrong(ErrorCode::kUnsupported, key,
                     "only LoRA without it is supported: merge the adapter into the checkpoint with PEFT");
    }
    return check_start();
  }

  Result<void> check_start() const {
    constexpr const char* kKey = "init_lora_weights";
    const json* const value = member(object_, kKey);
    if (value == nullptr || value->is_null() || value->is_boolean()) return {};
    const auto is = [&](std::string_view start) { return is_text(*value, start); };
    if (std::any_of(std::begin(kPlainStarts), std::end(kPlainStarts), is)) return {};
    return wrong(ErrorCode::kUnsupported, kKey,
                 "an adapter that changes the base weights too gives wrong results without that change: "
                 "convert it to ordinary LoRA (save_pretrained() of PEFT with "
                 "path_initial_model_for_weight_conversion), or merge it into the checkpoint with PEFT");
  }

  static bool is_scale(const json& value) {
    constexpr double kMost = 1e6;
    return value.is_number() && std::abs(value.get<double>()) <= kMost;
  }

  Result<double> number_of(const char* key, double missing) const {
    const json* const value = member(object_, key);
    if (value == nullptr || value->is_null()) return missing;
    if (!is_scale(*value)) return wrong(ErrorCode::kBadFile, key, "it must be a number up to 1e6");
    return value->get<double>();
  }

  Result<void> read_alphas(PeftConfig& config) const {
    constexpr const char* kKey = "alpha_pattern";
    constexpr std::string_view kSpecial = "^$*+?()[]{}|\\";
    const json* const patterns = member(object_, kKey);
    if (patterns == nullptr || patterns->is_null()) return {};
    if (!patterns->is_object()) return wrong(ErrorCode::kBadFile, kKey, "it must be an object");
    for (const auto& [pattern, alpha] : patterns->items()) {
      if (pattern.find_first_of(kSpecial) != std::string::npos)
        return wrong(ErrorCode::kUnsupported, kKey,
                     sentence("only names of modules are supported, not the regular expression ",
                              internal::quoted(pattern)));
      if (!is_scale(alpha)) return wrong(ErrorCode::kBadFile, kKey, "its values must be numbers up to 1e6");
      config.alphas.emplace_back(pattern, alpha.get<double>());
    }
    return {};
  }

  const json& object_;
  const std::string name_;
};

/// Where a matrix of LoRA belongs, by its name in the file.
struct Place {
  std::string tensor;  // of the checkpoint
  bool is_b = false, embedding = false;
};

constexpr std::string_view kBefore = "base_model.model.";

/// The tensor that a module of PEFT changes, if `name` is that tensor's copy in the file of an adapter: PEFT
/// saves it with an adapter of the embedding or the head.
std::optional<std::string> base_weight(std::string_view name) {
  constexpr std::string_view kEnding = ".base_layer.weight";
  if (!name.starts_with(kBefore)) return std::nullopt;
  name.remove_prefix(kBefore.size());
  if (!name.ends_with(kEnding)) return std::nullopt;
  name.remove_suffix(kEnding.size());
  return std::string(name) + ".weight";
}

std::optional<Place> place_of(std::string_view name) {
  struct Ending {
    std::string_view text;
    bool is_b, embedding;
  };
  constexpr Ending kEndings[] = {{".lora_A.weight", false, false},
                                 {".lora_B.weight", true, false},
                                 {".lora_embedding_A", false, true},
                                 {".lora_embedding_B", true, true}};
  if (!name.starts_with(kBefore)) return std::nullopt;
  name.remove_prefix(kBefore.size());
  for (const Ending& ending : kEndings) {
    if (!name.ends_with(ending.text)) continue;
    name.remove_suffix(ending.text.size());
    return Place{std::string(name) + ".weight", ending.is_b, ending.embedding};
  }
  return std::nullopt;
}

}  // namespace

float PeftConfig::scale_of(std::string_view module, std::size_t rank) const {
  const auto fits = [&](const auto& one) {
    const std::string_view name = one.first;
    return module == name || (module.ends_with(name) && module[module.size() - name.size() - 1] == '.');
  };
  const auto own = std::find_if(alphas.begin(), alphas.end(), fits);
  const auto size = static_cast<double>(rank);
  return static_cast<float>((own == alphas.end() ? alpha : own->second) /
                            (rank_stabilized ? std::sqrt(size) : size));
}

Result<PeftConfig> parse_peft_config(std::string_view text, const std::string& name) {
  const auto object = read_json(text, sentence("'", name, "'"), JsonLimits());
  if (!object) return object.error();
  if (!object->is_object())
    return Error{ErrorCode::kBadFile,
                 sentence("'", name, "' is not a JSON object, as an adapter_config.json must be")};
  return ConfigReader(*object, name).read();
}

bool is_peft_directory(const std::string& path) {
  std::error_code none;
  return std::filesystem::exists(path + kConfig, none);
}

Result<PeftAdapter> PeftAdapter::open(const std::string& directory) {
  const auto text = read_text_file(directory + kConfig, "an adapter_config.json", JsonLimits().bytes);
  if (!text) return text.error();
  auto config = parse_peft_config(*text, printable(directory + kConfig));
  if (!config) return config.error();
  std::error_code none;
  if (!std::filesystem::exists(directory + kTensors, none))
    return Error{ErrorCode::kNotFound,
                 sentence("'", printable(directory),
                          "' has no adapter_model.safetensors: save the adapter in that "
                          "format, as save_pretrained() of PEFT does")};
  auto tensors = SafeTensors::open(directory + kTensors);
  if (!tensors) return tensors.error();
  return make(*std::move(config), std::make_shared<const SafeTensors>(*std::move(tensors)),
              printable(directory));
}

Result<PeftAdapter> PeftAdapter::make(PeftConfig config, std::shared_ptr<const SafeTensors> tensors,
                                      std::string name) {
  PeftAdapter adapter;
  adapter.config_ = std::move(config);
  adapter.file_ = std::move(tensors);
  adapter.name_ = std::move(name);
  const auto bad = [&](ErrorCode code, const auto&... what) {
    return Error{code, sentence("the adapter '", adapter.name_, "' ", what...)};
  };
  std::vector<std::string> copies;  // of weights of the base
  for (const SafeTensor& tensor : adapter.file_->tensors()) {
    const auto place = place_of(tensor.name);
    if (const auto base = base_weight(tensor.name); base) {
      copies.push_back(*base);
      continue;
    }
    if (!place)
      return bad(
          ErrorCode::kUnsupported, "has a tensor ", internal::quoted(tensor.name),
          ", which is no matrix of LoRA: save the adapter with save_embedding_layers=False if it is of "
          "an embedding or a head that was not trained, or merge it into the checkpoint with PEFT");
    if (tensor.shape.size() != 2 || !tensor.dtype)
      return bad(ErrorCode::kBadFile, "has a tensor ", internal::quoted(tensor.name), " of the shape ",
                 shape_text(tensor.shape), " and the type ", internal::quoted(tensor.type),
                 ", and a matrix of F32, F16 or BF16 is expected");
    PeftModule& module = adapter.modules_[place->tensor];
    module.embedding = place->embedding;
    (place->is_b ? module.b : module.a) = &tensor;
  }
  for (const std::string& copy : copies) {
    if (!adapter.modules_.contains(copy))
      return bad(ErrorCode::kBadFile, "has the base's weight ", internal::quoted(copy),
                 " and no matrices of LoRA for it: save it again");
  }
  if (adapter.modules_.empty()) return bad(ErrorCode::kBadFile, "has no tensors: save it again");
  for (const auto& [name_of_module, module] : adapter.modules_) {
    if (module.a == nullptr || module.b == nullptr)
      return bad(ErrorCode::kBadFile, "has only one of the two matrices of ",
                 internal::quoted(name_of_module), ": save it again");
    const std::uint64_t rank = module.a->shape[0];
    if (rank != module.b->shape[1] || rank < 1 || rank > kMaxAdapterRank)
      return bad(ErrorCode::kBadFile, "changes ", internal::quoted(name_of_module),
                 " by matrices of the ranks ", rank, " and ", module.b->shape[1],
                 ", which must be the same, and at most ", kMaxAdapterRank);
  }
  return adapter;
}

std::set<std::string, std::less<>> PeftAdapter::tensors() const {
  std::set<std::string, std::less<>> names;
  for (const auto& [name, module] : modules_) names.insert(name);
  return names;
}

Result<AdapterTensors> PeftAdapter::pairs(const TensorMap& map) const {
  PairMaker maker(*file_, config_, modules_, name_);
  AdapterTensors out;
  out.path = name_;
  const auto add = [&](const WrittenTensor& tensor) -> Result<void> {
    auto pair = maker.make(tensor);
    if (!pair) return pair.error();
    if (*pair) out.pairs.push_back(**std::move(pair));
    return {};
  };
  for (const WrittenTensor& tensor : map.tensors) {
    TRY(add(tensor));
  }
  if (const auto head = modules_.find(map.head); map.tied && head != modules_.end()) {
    const SafeTensor whole{
        map.head, "F32", Dtype::kF32, Fp8::kNone, {head->second.b->shape[0], head->second.a->shape[1]}, {}};
    TensorPart part = zeros(whole.shape[0], whole.shape[1]);
    part.from = &whole;
    TRY(add({"output.weight", whole.shape, {part}}));
  }
  TRY(maker.check_leftovers());
  return out;
}

}  // namespace partita::internal
