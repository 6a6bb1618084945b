// Checks of a model's configuration: what its family needs and the file leaves out, and what files beside it
// say otherwise.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <new>

#include "api/doctor/check.h"
#include "tokenizer/vocabulary.h"
#include "weights/input_file.h"
#include "weights/json/reader.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::string_view kConvertAgain = "convert the model again with a current converter";

/// Families whose models all have local layers, and what is assumed of them where the file says nothing.
struct LocalFamily {
  std::string_view name;
  std::string_view missing_window;  // what is taken without a window
  bool pattern;                     // whether files say which layers are local
};

constexpr std::array kLocalFamilies = {
    LocalFamily{"afmoe", "no window", true},     LocalFamily{"cohere2", "no window", false},
    LocalFamily{"gemma2", "4096 tokens", false}, LocalFamily{"gemma3", "no window", false},
    LocalFamily{"gemma3n", "no window", true},   LocalFamily{"gemma4", "no window", true},
    LocalFamily{"gpt-oss", "no window", false},  LocalFamily{"laguna", "no window", true},
    LocalFamily{"mellum", "no window", true},    LocalFamily{"mimo2", "no window", true},
};

const LocalFamily* local_family(std::string_view name) {
  const auto found = std::find_if(kLocalFamilies.begin(), kLocalFamilies.end(),
                                  [&](const LocalFamily& family) { return family.name == name; });
  return found == kLocalFamilies.end() ? nullptr : &*found;
}

// --- files beside the model -------------------------------------------------------------------------

/// A JSON object in the directory of the model; nothing if there is none, or the model is the bundled one or
/// a checkpoint, which is made of such files. A file that is no such object is reported.
std::optional<JsonDocument> read_beside(const Subject& subject, std::string_view name, Report& report) {
  constexpr std::size_t kMaxBytes = std::size_t{16} << 20;
  std::error_code none;
  if (subject.path == kBundledModel || std::filesystem::is_directory(subject.path, none)) return std::nullopt;
  const std::filesystem::path path = std::filesystem::path(subject.path).parent_path() / name;
  const std::string where = sentence("\"", printable(path.string()), "\"");
  const auto text = read_text_file(path.string(), "a checkpoint's configuration", kMaxBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::nullopt;
  auto value = text ? read_json(*text, where, JsonLimits()) : Result<JsonDocument>(text.error());
  if (!value && value.error().code == ErrorCode::kOutOfMemory) throw std::bad_alloc();
  if (value && value->is_object()) return std::move(*value);
  report.note(value ? sentence(where, " is no JSON object") : value.error().message,
              "mend it or remove it: this program does not use it");
  return std::nullopt;
}

using Json = nlohmann::json;

/// The first of these keys that is a number, in the object or its "text_config".
std::optional<double> number_in(const Json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_number()) return found->get<double>();
  }
  const auto text = object.find("text_config");
  if (text == object.end() || !text->is_object() || text->contains("text_config")) return std::nullopt;
  return number_in(*text, keys);
}

std::string numeral(double value) {
  constexpr double kExact = 1e15;
  const bool whole = std::floor(value) == value && std::abs(value) < kExact;
  return whole ? std::to_string(static_cast<std::int64_t>(value)) : rounded_text(value);
}

/// A value that the file and config.json should have in common.
struct Common {
  std::string_view name;  // in the file's metadata, after the family
  std::optional<double> in_file, in_json;
};

std::optional<double> rope_theta(const Json& config) {
  if (const auto found = number_in(config, {"rope_theta", "rotary_emb_base"})) return found;
  const auto nested = config.find("rope_parameters");
  return nested != config.end() && nested->is_object() ? number_in(*nested, {"rope_theta"}) : std::nullopt;
}

std::vector<Common> common_values(const Subject& subject, const Json& json) {
  const Config& config = *subject.config;
  const auto base = subject.file.get_float(subject.key("rope.freq_base"));
  const auto file_base = base ? std::optional(*base) : std::nullopt;
  return {
      {"block_count", config.layers, number_in(json, {"num_hidden_layers", "n_layer", "num_layers"})},
      {"embedding_length", config.hidden_size, number_in(json, {"hidden_size", "n_embd", "d_model"})},
      {"attention.head_count", config.heads, number_in(json, {"num_attention_heads", "n_head", "n_heads"})},
      {"attention.head_count_kv", config.kv_heads, number_in(json, {"num_key_value_heads"})},
      {"vocab_size", config.vocab_size, number_in(json, {"vocab_size"})},
      {"rope.freq_base", file_base, rope_theta(json)}};
}

bool differ(double a, double b) { return std::abs(a - b) > 1e-5 * std::max(std::abs(a), std::abs(b)); }

/// The ids of "eos_token_id", a number or several: sorted, each once.
std::vector<TokenId> end_ids_in(const Json& object) {
  std::vector<TokenId> ids;
  const auto found = object.find("eos_token_id");
  if (found == object.end()) return ids;
  const auto add = [&](const Json& value) {
    const bool fits = value.is_number_unsigned() && value.get<std::uint64_t>() < kMaxVocabulary;
    if (fits) ids.push_back(static_cast<TokenId>(value.get<std::uint64_t>()));
  };
  if (!found->is_array()) {
    add(*found);
  } else {
    std::for_each(found->begin(), found->end(), add);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

void check_ends(const Subject& subject, const Json& object, std::string_view name, Report& report) {
  constexpr std::size_t kNamed = 4;
  if (subject.tokenizer == nullptr) return;
  std::vector<TokenId> ids = end_ids_in(object);
  std::erase_if(ids, [&](TokenId id) {
    return subject.tokenizer->contains(id) && subject.tokenizer->ends_generation(id);
  });
  if (ids.empty()) return;
  std::string tokens;
  for (std::size_t i = 0; i < std::min(ids.size(), kNamed); ++i) {
    const bool spelled = subject.tokenizer->contains(ids[i]);
    tokens += sentence(i == 0 ? "" : ", ", ids[i],
                       spelled ? " (" + quoted(subject.tokenizer->spelling(ids[i])) + ")" : "");
  }
  if (ids.size() > kNamed) tokens += sentence(" and ", ids.size() - kNamed, " more");
  report.warning(sentence(name, " ends answers at token ", tokens, ", and the model file does not"),
                 "answers may go on after their end: stop them with --stop, or set "
                 "tokenizer.ggml.eos_token_id or eot_token_id in the file");
}

}  // namespace

void check_window(const Subject& subject, Report& report) {
  const LocalFamily* family = local_family(subject.family());
  if (family == nullptr || subject.config == nullptr) return;
  const std::string window = subject.key("attention.sliding_window"),
                    pattern = subject.key("attention.sliding_window_pattern");
  if (subject.file.find(window) == nullptr) {
    report.warning(sentence("models of the family ", family->name, " have local layers, and the file has no ",
                            window, ": ", family->missing_window, " is assumed"),
                   std::string(kConvertAgain));
  } else if (family->pattern && subject.file.find(pattern) == nullptr) {
    report.warning(sentence("the file has no ", pattern,
                            ", which says which layers are local: the pattern of "
                            "the family's first models is assumed"),
                   std::string(kConvertAgain));
  }
}

void check_rope(const Subject& subject, Report& report) {
  constexpr std::uint32_t kLong = 8192;  // tokens: models with longer contexts have larger bases
  if (subject.config == nullptr) return;
  const Config& config = *subject.config;
  const bool rotates =
      std::any_of(config.layer_kinds.begin(), config.layer_kinds.end(),
                  [](const LayerKind& kind) { return !kind.recurrent && kind.rope != kNoRope; });
  const std::string base = subject.key("rope.freq_base");
  if (rotates && config.context_length > kLong && subject.file.find(base) == nullptr) {
    report.warning(sentence("the file has no ", base, " and a context of ", config.context_length,
                            " tokens: the base 10000 is assumed, which is that of short contexts"),
                   std::string(kConvertAgain));
  }
  const auto type = subject.file.get_string(subject.key("rope.scaling.type"));
  if (type && *type != "none" && subject.file.find(subject.key("rope.scaling.factor")) == nullptr &&
      !subject.file.has_tensor("rope_factors_long.weight")) {
    report.warning(sentence("the file says that RoPE is scaled (", quoted(*type), ") and has no ",
                            subject.key("rope.scaling.factor")),
                   std::string(kConvertAgain));
  }
}

void check_trained_context(const Subject& subject, Report& report) {
  if (subject.config == nullptr) return;
  const std::size_t own = subject.config->context_length;
  if (subject.context > own) {
    report.warning(
        sentence("a context of ", subject.context, " tokens is asked for, and the model's is ", own),
        sentence("ask for at most ", own, " tokens"));
  }
  const auto trained = subject.file.get_uint(subject.key("rope.scaling.original_context_length"));
  const auto factor = subject.file.get_float(subject.key("rope.scaling.factor"));
  if (!trained || !factor || *factor < 1 || subject.file.has_tensor("rope_factors_long.weight")) return;
  const double reach = static_cast<double>(*trained) * *factor;
  if (static_cast<double>(own) <= reach) return;
  report.warning(sentence("the file says a context of ", own, " tokens; the model was trained on ", *trained,
                          ", which its RoPE stretches to ", numeral(reach)),
                 sentence("keep texts below ", numeral(reach), " tokens"));
}

void check_config_json(const Subject& subject, Report& report) {
  const auto json = read_beside(subject, "config.json", report);
  if (!json) return;
  if (subject.config != nullptr) {
    for (const Common& value : common_values(subject, *json)) {
      if (!value.in_file || !value.in_json || !differ(*value.in_file, *value.in_json)) continue;
      report.warning(
          sentence("config.json beside the model says ", numeral(*value.in_json), " where the file says ",
                   numeral(*value.in_file), " (", value.name, ")"),
          "the two belong to different models, or one is damaged: compare them with the publisher's");
    }
    const auto trained = number_in(*json, {"max_position_embeddings", "n_positions"});
    if (trained && *trained < subject.config->context_length) {
      report.warning(
          sentence("the file says a context of ", subject.config->context_length,
                   " tokens, and config.json beside it ", numeral(*trained)),
          sentence("keep texts below ", numeral(*trained), " tokens, unless RoPE scaling is meant"));
    }
  }
  check_ends(subject, *json, "config.json beside the model", report);
}

void check_generation_config(const Subject& subject, Report& report) {
  const auto json = read_beside(subject, "generation_config.json", report);
  if (json) check_ends(subject, *json, "generation_config.json beside the model", report);
}

}  // namespace partita::internal
