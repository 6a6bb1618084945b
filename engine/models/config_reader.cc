#include "engine/models/config_reader.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "engine/embedding.h"
#include "engine/limits.h"
#include "engine/models/families.h"
#include "engine/models/mla_reader.h"
#include "engine/models/moe_reader.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

std::string file_stem(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return name.substr(0, name.rfind(".gguf"));
}

Error unknown_family(const Gguf& file, std::string_view name) {
  return {ErrorCode::kUnsupported, "'" + file.path() + "' holds a model of the family " + quoted(name) +
                                       ", which is not one of the " + std::to_string(families().size()) +
                                       " families known here; docs/models.md lists them"};
}

/// Config::layer_sizes, and the largest of them.
void read_layer_sizes(MetadataReader& keys, bool partial_layers, Config& config) {
  const std::uint32_t least = partial_layers ? 0 : 1;
  const std::size_t layers = config.layers;
  std::vector<std::uint32_t> ffn(layers, 0);
  if (keys.has("feed_forward_length") || !keys.has("expert_feed_forward_length"))
    ffn = keys.counts("feed_forward_length", layers, least, kMaxFfn);
  const auto heads = keys.counts("attention.head_count", layers, least, kMaxHeads);
  auto kv_heads = heads;
  if (keys.has("attention.head_count_kv"))
    kv_heads = keys.counts("attention.head_count_kv", layers, least, kMaxHeads);
  for (std::size_t i = 0; i < layers; ++i) config.layer_sizes.push_back({heads[i], kv_heads[i], ffn[i]});
  config.ffn_size = *std::max_element(ffn.begin(), ffn.end());
  config.heads = *std::max_element(heads.begin(), heads.end());
  config.kv_heads = *std::max_element(kv_heads.begin(), kv_heads.end());
}

void read_sizes(MetadataReader& keys, bool partial_layers, Config& config) {
  config.layers = keys.count("block_count", 1, kMaxLayers);
  config.nextn_layers = keys.count("nextn_predict_layers", 0, config.layers - 1, 0);
  config.layers -= config.nextn_layers;
  config.context_length = keys.count("context_length", 1, kMaxContext);
  config.hidden_size = keys.count("embedding_length", 1, kMaxWidth);
  read_layer_sizes(keys, partial_layers, config);
  // A model without attention has no heads to be of any size.
  const std::uint32_t head_dim = config.heads > 0 ? config.hidden_size / config.heads : kPanelRows;
  config.head_dim = keys.count("attention.key_length", 1, kMaxHeadDim, head_dim);
  for (LayerSizes& layer : config.layer_sizes) layer.head_dim = layer.value_dim = config.head_dim;
  config.rope_dims = keys.count("rope.dimension_count", 1, config.head_dim, config.head_dim);
  read_latent_sizes(keys, config);
  config.attention_softcap = keys.softcap("attn_logit_softcapping", 0);
  config.logit_softcap = keys.softcap("final_logit_softcapping", 0);
  constexpr std::string_view kRms = "attention.layer_norm_rms_epsilon",
                             kLayer = "attention.layer_norm_epsilon";
  const auto [own, other] = config.norm == NormKind::kRms ? std::pair(kRms, kLayer) : std::pair(kLayer, kRms);
  config.norm_eps =
      static_cast<float>(keys.number(keys.has(own) || !keys.has(other) ? own : other, 1e-20, 1));
}

/// Widths of values where they need not be those of keys.
void read_value_width(MetadataReader& keys, Config& config) {
  const std::uint32_t width = keys.count("attention.value_length", 1, kMaxHeadDim, config.head_dim);
  for (LayerSizes& layer : config.layer_sizes) layer.value_dim = width;
  if (config.heads * width <= kMaxWidth) return;
  keys.fail(ErrorCode::kUnsupported, "attention.value_length",
            "is " + std::to_string(width) + " for each of " + std::to_string(config.heads) +
                " heads, and the limit for all is " + std::to_string(kMaxWidth));
}

/// Each head of keys serves as many heads of queries, and all of them fit.
void check_heads(MetadataReader& keys, const Config& c) {
  for (const LayerSizes& layer : c.layer_sizes) {
    if (layer.kv_heads != 0 && (layer.heads == 0 || layer.heads % layer.kv_heads != 0)) {
      return keys.fail(ErrorCode::kBadFile, "attention.head_count",
                       "is " + std::to_string(layer.heads) + ", and must be a multiple of the " +
                           std::to_string(layer.kv_heads) + " of attention.head_count_kv");
    }
    if (layer.heads * layer.head_dim > kMaxWidth) {
      return keys.fail(ErrorCode::kUnsupported, "attention.key_length",
                       "is " + std::to_string(layer.head_dim) + " for each of " +
                           std::to_string(layer.heads) + " heads, and the limit for all is " +
                           std::to_string(kMaxWidth));
    }
  }
}

/// Checks the requirements of the panels, the cache and the kernels.
void check_sizes(MetadataReader& keys, const Config& c) {
  const auto unsupported = [&](std::string_view name, const std::string& rest) {
    keys.fail(ErrorCode::kUnsupported, name, rest);
  };
  check_heads(keys, c);
  if (c.head_dim % 2 != 0) {
    unsupported("attention.key_length", "is " + std::to_string(c.head_dim) + ", and RoPE rotates pairs");
  }
  if (c.rope_dims % 2 != 0) {
    unsupported("rope.dimension_count", "is " + std::to_string(c.rope_dims) + ", and RoPE rotates pairs");
  }
}

/// Keys whose only supported value is the one that changes nothing.
void refuse_unsupported_features(MetadataReader& keys, const Family& family, const Config& c) {
  const auto must_be = [&](std::string_view name, std::uint32_t value, std::string_view why) {
    const std::uint32_t found = keys.count(name, 0, kMaxWidth, value);
    if (found == value) return;
    keys.fail(ErrorCode::kUnsupported, name, "is " + std::to_string(found) + ", and " + std::string(why));
  };
  if (c.latent.rank == 0 && !family.own_value_width)
    must_be("attention.value_length", c.head_dim, "only values as long as keys can be used");
  if (!keys.flag("attention.causal", true)) {
    keys.fail(ErrorCode::kUnsupported, "attention.causal", "is false, and only causal models generate text");
  }
}

/// The number of words of the embedding, which must match the vocabulary of the file.
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
  config.norm = family.norm;
  const auto name = file.get_string("general.name");
  config.model_name = name ? std::string(*name) : file_stem(file.path());

  MetadataReader keys(file, family.name);
  read_sizes(keys, family.partial_layers, config);
  if (family.own_value_width) read_value_width(keys, config);
  config.moe = read_moe(keys, config.ffn_size, family.routing);
  if (!keys.error()) check_sizes(keys, config);
  if (!keys.error()) refuse_unsupported_features(keys, family, config);
  if (keys.error()) return *keys.error();
  config.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.head_dim)));
  family.read(keys, config);
  if (!keys.error()) check_heads(keys, config);  // which the family may have changed
  if (file.has_tensor("rope_factors_long.weight") || keys.has("rope.scaling.dynamic_factor")) {
    config.short_context =
        keys.count("rope.scaling.original_context_length", 1, kMaxContext, config.context_length);
  }
  if (keys.error()) return *keys.error();

  auto vocab = read_vocab_size(file, config);
  if (!vocab) return vocab.error();
  config.vocab_size = *vocab;
  return config;
}

/// Why a GGUF file is not a whole model, and what to do; empty: it may be one.
std::string why_no_model(const Gguf& file) {
  const auto is = [&](const char* key, std::string_view value) {
    const auto found = file.get_string(key);
    return found && *found == value;
  };
  if (is("general.type", "adapter"))
    return "is a LoRA adapter, not a model; give a model into which the adapter is merged";
  if (is("general.type", "imatrix"))
    return "is an importance file, not a model; give it to partita quantize with --imatrix";
  if (is("general.architecture", "clip") || is("general.type", "mmproj"))
    return "is a vision projector, which belongs beside a model; give the model's own GGUF file";
  if (const auto parts = file.get_uint("split.count", 1); parts && *parts > file.files()) {
    return "is one of the " + std::to_string(*parts) +
           " parts of a split model; give the path of the first, with the others beside it";
  }
  if (file.tensors().empty() && file.unsupported().empty() && file.find("tokenizer.ggml.model") != nullptr) {
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

}  // namespace partita::internal
