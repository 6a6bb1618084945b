#include "engine/config.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <sstream>
#include <utility>

#include "engine/embedding.h"
#include "engine/families.h"
#include "weights/codecs/codec.h"
#include "weights/sentence.h"

namespace partita {
namespace {

// Limits, each far above any model in sight, so that products of two of them fit in 64 bits with room to
// spare.
constexpr std::uint32_t kMaxLayers = 1024;
constexpr std::uint32_t kMaxWidth = 65536;  // hidden_size, heads * head_dim
constexpr std::uint32_t kMaxFfn = 1u << 20;
constexpr std::uint32_t kMaxHeads = 4096;
constexpr std::uint32_t kMaxVocab = 1u << 24;
constexpr std::uint32_t kMaxContext = 1u << 24;  // positions are exact in float up to here
constexpr double kMaxRopeBase = 1e12;
constexpr double kMaxRopeFactor = 1e6;

std::string to_text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string multiple_of_16(std::uint32_t value) {
  return "is " + std::to_string(value) + ", and must be a multiple of 16";
}

std::string file_stem(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return name.substr(0, name.rfind(".gguf"));
}

const Family* find_family(std::string_view name) {
  const auto all = families();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Family& f) { return f.name == name; });
  return found == all.end() ? nullptr : &*found;
}

Error unknown_family(const Gguf& file, std::string_view name) {
  std::string known;
  for (const std::string_view family : known_families())
    known += (known.empty() ? "" : ", ") + std::string(family);
  return {ErrorCode::kUnsupported, "'" + file.path() + "' holds a model of the family " + quoted(name) +
                                       ", and the families known here are " + known};
}

void read_sizes(FamilyKeys& keys, Config& config) {
  config.layers = keys.count("block_count", 1, kMaxLayers);
  config.context_length = keys.count("context_length", 1, kMaxContext);
  config.hidden_size = keys.count("embedding_length", 16, kMaxWidth);
  config.ffn_size = keys.count("feed_forward_length", 16, kMaxFfn);
  config.heads = keys.count("attention.head_count", 1, kMaxHeads);
  config.kv_heads = keys.count("attention.head_count_kv", 1, kMaxHeads, config.heads);
  config.head_dim = keys.count("attention.key_length", 1, kMaxHeadDim, config.hidden_size / config.heads);
  config.norm_eps = static_cast<float>(keys.number("attention.layer_norm_rms_epsilon", 1e-20, 1));
}

/// What the panels, the cache and the kernels take for granted.
void check_sizes(FamilyKeys& keys, const Config& c) {
  const auto bad = [&](std::string_view name, const std::string& rest) {
    keys.fail(ErrorCode::kBadFile, name, rest);
  };
  const auto unbuilt = [&](std::string_view name, const std::string& rest) {
    keys.fail(ErrorCode::kUnsupported, name, rest);
  };
  if (c.hidden_size % 16 != 0) unbuilt("embedding_length", multiple_of_16(c.hidden_size));
  if (c.ffn_size % 16 != 0) unbuilt("feed_forward_length", multiple_of_16(c.ffn_size));
  if (c.heads % c.kv_heads != 0) {
    bad("attention.head_count", "is " + std::to_string(c.heads) + ", and must be a multiple of the " +
                                    std::to_string(c.kv_heads) + " of attention.head_count_kv");
  }
  if (c.head_dim % 16 != 0) unbuilt("attention.key_length", multiple_of_16(c.head_dim));
  if (c.heads * c.head_dim > kMaxWidth) {
    unbuilt("attention.key_length", "is " + std::to_string(c.head_dim) + " for each of " +
                                        std::to_string(c.heads) + " heads, and the limit for all is " +
                                        std::to_string(kMaxWidth));
  }
}

/// Keys that a file may only have with the one value that changes nothing.
void refuse_other_pieces(FamilyKeys& keys, const Config& c) {
  const auto must_be = [&](std::string_view name, std::uint32_t value, std::string_view why) {
    const std::uint32_t found = keys.count(name, 0, kMaxWidth, value);
    if (found == value) return;
    keys.fail(ErrorCode::kUnsupported, name, "is " + std::to_string(found) + ", and " + std::string(why));
  };
  must_be("attention.value_length", c.head_dim, "only values as long as keys can be used");
  must_be("rope.dimension_count", c.head_dim, "only rotary embedding over whole heads can be used");
  must_be("expert_count", 0, "mixtures of experts cannot be used");
  if (!keys.flag("attention.causal", true)) {
    keys.fail(ErrorCode::kUnsupported, "attention.causal", "is false, and only causal models generate text");
  }
  for (const std::string_view name : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    const double cap = keys.number(name, 0, 1e6, 0);
    if (cap != 0)
      keys.fail(ErrorCode::kUnsupported, name, "is " + to_text(cap) + ", and soft caps cannot be used");
  }
}

/// Words of the embedding, which a vocabulary in the file must agree with.
Result<std::uint32_t> read_vocab_size(const Gguf& file, const Config& config) {
  auto words = count_words(file, config.hidden_size);
  if (!words) return words.error();
  const std::string found =
      "'" + file.path() + "': the embedding has " + std::to_string(*words) + " rows, and ";
  if (*words > kMaxVocab)
    return Error{ErrorCode::kBadFile, found + "the limit is " + std::to_string(kMaxVocab)};
  if (file.find("tokenizer.ggml.tokens") == nullptr) return static_cast<std::uint32_t>(*words);

  auto tokens = file.get_array("tokenizer.ggml.tokens");
  if (!tokens) return tokens.error();
  if ((*tokens)->size() != *words) {
    return Error{ErrorCode::kBadFile,
                 found + "tokenizer.ggml.tokens has " + std::to_string((*tokens)->size()) + " words"};
  }
  return static_cast<std::uint32_t>(*words);
}

Result<Config> read_family(const Gguf& file, const Family& family) {
  Config config;
  config.family = family.name;
  config.gate = family.gate;
  config.interleaved_qk = family.interleaved_qk;
  config.qk_norm = family.qk_norm;
  config.post_norms = family.post_norms;
  const auto name = file.get_string("general.name");
  config.model_name = name ? std::string(*name) : file_stem(file.path());

  FamilyKeys keys(file, family.name);
  read_sizes(keys, config);
  if (!keys.error()) check_sizes(keys, config);
  if (!keys.error()) refuse_other_pieces(keys, config);
  if (!keys.error()) family.positions(keys, config);
  if (keys.error()) return *keys.error();
  config.embedding_scale = family.embedding_scale(config);
  config.attention_scale = family.attention_scale(config);

  auto vocab = read_vocab_size(file, config);
  if (!vocab) return vocab.error();
  config.vocab_size = *vocab;
  return config;
}

/// Divides frequencies by the factors of rope_freqs.weight (Llama 3's scaling, worked out by the converter).
void apply_rope_factors(FamilyKeys& keys, Rope& rope) {
  constexpr std::string_view kName = "rope_freqs.weight";
  const Gguf& file = keys.file();
  if (!file.has_tensor(kName)) return;
  auto tensor = file.tensor(kName, {rope.inverse_frequency.size()});
  if (!tensor) return keys.fail(tensor.error());
  std::vector<std::byte> buffer;
  const auto bytes = file.read(tensor->bytes, buffer);
  if (!bytes) return keys.fail(bytes.error());
  std::vector<float> factors(rope.inverse_frequency.size());
  codec(tensor->dtype).dequantize(bytes->data(), factors.size(), factors.data());
  for (std::size_t i = 0; i < factors.size(); ++i) {
    if (!(factors[i] >= 1 / kMaxRopeFactor && factors[i] <= kMaxRopeFactor)) {
      return keys.fail({ErrorCode::kBadFile, "'" + file.path() + "': rope_freqs.weight[" + std::to_string(i) +
                                                 "] is " + to_text(factors[i]) +
                                                 ", and must be between 1e-06 and 1e+06"});
    }
    rope.inverse_frequency[i] /= factors[i];
  }
}

}  // namespace

// --- FamilyKeys -----------------------------------------------------------------------------------

std::string FamilyKeys::key(std::string_view name) const {
  return std::string(family_) + "." + std::string(name);
}

bool FamilyKeys::has(std::string_view name) const { return file_.find(key(name)) != nullptr; }

void FamilyKeys::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void FamilyKeys::fail(ErrorCode code, std::string_view name, const std::string& rest) {
  fail({code, "'" + file_.path() + "': " + key(name) + " " + rest});
}

std::uint32_t FamilyKeys::count(std::string_view name, std::uint32_t min, std::uint32_t max,
                                std::optional<std::uint32_t> missing) {
  auto found = missing ? file_.get_uint(key(name), *missing) : file_.get_uint(key(name));
  if (!found) {
    fail(found.error());
    return min;
  }
  if (*found >= min && *found <= max) return static_cast<std::uint32_t>(*found);
  fail(ErrorCode::kBadFile, name,
       "is " + std::to_string(*found) + ", and must be between " + std::to_string(min) + " and " +
           std::to_string(max));
  return min;
}

double FamilyKeys::number(std::string_view name, double min, double max, std::optional<double> missing) {
  auto found = missing ? file_.get_float(key(name), *missing) : file_.get_float(key(name));
  if (!found) {
    fail(found.error());
    return min;
  }
  if (*found >= min && *found <= max) return *found;
  fail(ErrorCode::kBadFile, name,
       "is " + to_text(*found) + ", and must be between " + to_text(min) + " and " + to_text(max));
  return min;
}

bool FamilyKeys::flag(std::string_view name, bool missing) {
  auto found = file_.get_bool(key(name), missing);
  if (found) return *found;
  fail(found.error());
  return missing;
}

std::vector<bool> FamilyKeys::flags(std::string_view name, std::size_t size) {
  const GgufValue* value = file_.find(key(name));
  if (value == nullptr || !std::holds_alternative<GgufArray>(*value)) return {};
  const auto& array = std::get<GgufArray>(*value);
  std::vector<bool> out(size, false);
  for (std::size_t i = 0; i < size; ++i) {
    const std::optional<bool> flag = array.bool_at(i);
    if (!flag) {
      fail(ErrorCode::kBadFile, name, "must have " + std::to_string(size) + " elements, true or false");
      return out;
    }
    out[i] = *flag;
  }
  return out;
}

std::string_view FamilyKeys::text(std::string_view name, std::string_view missing) {
  if (!has(name)) return missing;
  auto found = file_.get_string(key(name));
  if (found) return *found;
  fail(found.error());
  return missing;
}

// --- rotary embedding -----------------------------------------------------------------------------

Rope make_rope(double base, std::uint32_t head_dim) {
  Rope rope;
  rope.inverse_frequency.resize(head_dim / 2);
  for (std::size_t i = 0; i < rope.inverse_frequency.size(); ++i) {
    rope.inverse_frequency[i] = static_cast<float>(std::pow(base, -2.0 * static_cast<double>(i) / head_dim));
  }
  return rope;
}

Rope read_global_rope(FamilyKeys& keys, std::uint32_t head_dim) {
  Rope rope = make_rope(keys.number("rope.freq_base", 1, kMaxRopeBase, 10000), head_dim);
  const std::string_view scaling = keys.text("rope.scaling.type", "linear");
  if (scaling != "linear" && scaling != "none") {
    keys.fail(ErrorCode::kUnsupported, "rope.scaling.type",
              "is '" + std::string(scaling.substr(0, 64)) + "', and only 'linear' and 'none' can be used");
  }
  if (scaling == "linear") {
    const double old_key = keys.number("rope.scale_linear", 1 / kMaxRopeFactor, kMaxRopeFactor, 1);
    const double factor = keys.number("rope.scaling.factor", 1 / kMaxRopeFactor, kMaxRopeFactor, old_key);
    for (float& f : rope.inverse_frequency) f = static_cast<float>(f / factor);
  }
  apply_rope_factors(keys, rope);
  return rope;
}

void limit_attention(Config& config, std::uint32_t window, std::uint32_t sinks) {
  for (LayerKind& kind : config.layer_kinds) {
    if (kind.window != 0 && kind.window <= window) continue;
    kind.window = window;
    kind.sinks = sinks;
  }
}

// --- the door -------------------------------------------------------------------------------------

std::vector<std::string_view> known_families() {
  std::vector<std::string_view> names;
  for (const Family& family : families()) names.push_back(family.name);
  return names;
}

namespace {

/// What a GGUF file is that is no whole model, and what to do then; empty: it may be one.
std::string why_no_model(const Gguf& file) {
  const auto is = [&](const char* key, std::string_view value) {
    const auto found = file.get_string(key);
    return found && *found == value;
  };
  if (is("general.type", "adapter"))
    return "is a LoRA adapter, not a model; give a model into which the adapter is merged";
  if (is("general.architecture", "clip") || is("general.type", "mmproj"))
    return "is a vision projector, which belongs beside a model; give the model's own GGUF file";
  if (const auto parts = file.get_uint("split.count", 1); parts && *parts > 1) {
    return "is one of the " + std::to_string(*parts) +
           " parts of a split model, which are not read; join them with llama-gguf-split --merge and give "
           "the "
           "whole file";
  }
  if (file.tensors().empty() && file.unread().empty() && file.find("tokenizer.ggml.model") != nullptr) {
    return "holds a vocabulary and no weights: partita tokenize can use it; give a whole model for all else";
  }
  return {};
}

}  // namespace

bool is_whole_model(const Gguf& file) { return why_no_model(file).empty(); }

Result<Config> read_config(const Gguf& file) {
  try {
    if (std::string why = why_no_model(file); !why.empty())
      return Error{ErrorCode::kUnsupported, "'" + file.path() + "' " + why};
    auto name = file.get_string("general.architecture");
    if (!name) return name.error();
    const Family* family = find_family(*name);
    return family != nullptr ? read_family(file, *family) : unknown_family(file, *name);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "'" + file.path() + "': not enough memory to read its metadata"};
  }
}

}  // namespace partita
