#include "api/convert/convert_config.h"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "api/convert/checkpoint_family.h"
#include "api/convert/json_fields.h"
#include "api/convert/rope_config.h"
#include "api/convert/text_part.h"
#include "engine/kernels/kernels.h"
#include "engine/limits.h"
#include "weights/input_file.h"
#include "weights/json/reader.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

using Kind = HeadConfig::Kind;

constexpr std::size_t kMaxClusters = 16384;

/// Enough for the children of a tree with four million words, two numbers a word.
constexpr JsonLimits kConfigLimits = {.values = std::size_t{1} << 23};

constexpr std::pair<std::string_view, Kind> kKinds[] = {{"dense", Kind::kDense},
                                                        {"adaptive", Kind::kAdaptive},
                                                        {"classes", Kind::kClasses},
                                                        {"tree", Kind::kTree},
                                                        {"mixture", Kind::kMixture}};

/// The family of model_type; null after an error. own_parts: the class may be any.
const CheckpointFamily* read_family(JsonFields& fields, const nlohmann::json& config, bool own_parts) {
  const CheckpointFamily* family = find_checkpoint_family(fields.text("model_type", ""));
  if (family == nullptr) {
    const char* own_code = fields.has("auto_map") ? "code of its own (auto_map) is not run: " : "";
    fields.fail(ErrorCode::kUnsupported, "model_type",
                sentence(own_code, "those that can be converted are ", checkpoint_family_names()));
    return nullptr;
  }
  const auto classes = config.find("architectures");
  if (own_parts || classes == config.end() || classes->is_null()) return family;  // a custom class
  const bool is_one = classes->is_array() && classes->size() == 1 && (*classes)[0].is_string();
  // As a string: comparing JSON with text copies the text, and ends the program when memory runs out.
  const std::string* const name = is_one ? &(*classes)[0].get_ref<const std::string&>() : nullptr;
  if (name != nullptr && (*name == family->class_name || *name == family->other_class_name)) return family;
  const std::string which = is_one ? sentence(", not ", internal::quoted(*name)) : "";
  fields.fail(ErrorCode::kUnsupported, "architectures",
              sentence("only ", family->class_name, " can be converted", which));
  return nullptr;
}

/// FP8 alone, with one scale for a tensor, a row or a block of 128 x 128.
void check_quantization(JsonFields& fields) {
  JsonFields quantization = fields.object("quantization_config");
  const std::string method = quantization.text("quant_method", "");
  if (method == "compressed-tensors") return quantization.only("format", "float-quantized", true);
  if (method != "fp8" && method != "fbgemm_fp8") {
    return quantization.fail(
        ErrorCode::kUnsupported, "quant_method",
        "only plain weights and FP8 can be read: take the checkpoint that it was made of, "
        "or a GGUF file of the model");
  }
  if (!quantization.has("weight_block_size")) return;
  const auto block = quantization.integers("weight_block_size", 2, 2, 1, 1 << 20);
  if (block != std::vector<std::int32_t>{128, 128}) {
    quantization.fail(ErrorCode::kUnsupported, "weight_block_size", "only blocks of 128 x 128 can be read");
  }
}

void check_activation(JsonFields& fields, const CheckpointFamily& family) {
  const char* key = fields.first_of({"hidden_activation", "hidden_act", "activation_function", "activation"});
  const std::string found = fields.text(key, family.activation);
  if (found == family.activation || (!found.empty() && found == family.other_activation)) return;
  fields.fail(ErrorCode::kUnsupported, key, sentence("only \"", family.activation, "\" can be converted"));
}

void read_experts(JsonFields& fields, CheckpointConfig& c) {
  c.experts = fields.count(
      fields.first_of({"num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"}), 0,
      kMaxExperts, 0);
  c.expert_ffn = fields.count("moe_intermediate_size", 1, kMaxFfn, c.ffn);
  c.shared_ffn = fields.count("shared_expert_intermediate_size", 0, kMaxFfn, 0);
  if (c.experts == 0) return;
  c.keys.add("expert_count", c.experts);
  c.keys.add("expert_used_count",
             fields.count(
                 fields.first_of({"num_experts_per_tok", "num_experts_per_token", "moe_k", "top_k_experts"}),
                 1, c.experts));
  if (fields.has("moe_intermediate_size")) c.keys.add("expert_feed_forward_length", c.expert_ffn);
  if (c.shared_ffn > 0) c.keys.add("expert_shared_feed_forward_length", c.shared_ffn);
  const char* normed = fields.first_of({"norm_topk_prob", "moe_renormalize"});
  if (fields.has(normed)) c.keys.add("expert_weights_norm", fields.flag(normed, true));
}

void add_sizes(CheckpointConfig& c) {
  const auto add_each = [&](std::string_view name, std::uint32_t of_all,
                            const std::vector<std::uint32_t>& of_layers) {
    of_layers.empty() ? c.keys.add(name, of_all) : c.keys.add(name, of_layers);
  };
  c.keys.add("block_count", c.layers);
  c.keys.add("context_length", c.context);
  c.keys.add("embedding_length", c.hidden);
  add_each("feed_forward_length", c.ffn, c.ffn_of_layers);
  add_each("attention.head_count", c.heads, c.heads_of_layers);
  if (c.heads > 0) {
    add_each("attention.head_count_kv", c.kv_heads, c.kv_heads_of_layers);
    c.keys.add("attention.key_length", c.head_dim);
    c.keys.add("attention.value_length", c.value_dim);
    c.keys.add("rope.dimension_count", c.rotary_dim);
  }
  c.keys.add(c.family->layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
             static_cast<float>(c.norm_eps));
  c.keys.add("vocab_size", c.vocab);
}

void read_attention_sizes(JsonFields& fields, CheckpointConfig& c) {
  c.heads = fields.count(fields.first_of({"num_attention_heads", "n_head", "n_heads"}), 1, kMaxHeads);
  const std::uint32_t kv_heads = fields.object("attn_config").count("kv_n_heads", 1, kMaxHeads, c.heads);
  c.kv_heads = fields.count("num_key_value_heads", 1, kMaxHeads, kv_heads);
  // Where a part of each key is made of a latent, the head of RoPE is the other part.
  const char* head_dim = fields.first_of({"qk_rope_head_dim", "head_dim", "attention_head_dim"});
  c.head_dim = fields.count(head_dim, 1, kMaxHeadDim, c.hidden / c.heads);
  c.value_dim = c.head_dim;
  if (!fields.has(head_dim) && c.hidden % c.heads != 0) {
    fields.fail(ErrorCode::kBadFile, "hidden_size",
                sentence("must be a multiple of the ", c.heads, " heads where there is no head_dim"));
  }
  if (c.head_dim % 2 != 0 || c.head_dim == 0 || c.head_dim > kMaxHeadDim) {
    fields.fail(ErrorCode::kUnsupported, fields.has(head_dim) ? head_dim : "hidden_size",
                sentence("heads of ", c.head_dim, " numbers are not possible: even numbers up to ",
                         kMaxHeadDim, " are"));
  }
  if (c.heads % c.kv_heads != 0) {
    fields.fail(ErrorCode::kBadFile, "num_attention_heads",
                sentence("must be a multiple of the ", c.kv_heads, " of num_key_value_heads"));
  }
  if (c.heads * c.head_dim > kMaxWidth) {
    fields.fail(ErrorCode::kUnsupported, "num_attention_heads",
                sentence("with ", c.head_dim, " numbers each that is more than ", kMaxWidth));
  }
}

void read_sizes(JsonFields& fields, CheckpointConfig& c) {
  const auto count = [&](std::initializer_list<const char*> keys, std::uint32_t max,
                         std::optional<std::uint32_t> missing = std::nullopt) {
    return fields.count(fields.first_of(keys), 1, max, missing);
  };
  c.hidden = count({"hidden_size", "n_embd", "d_model"}, kMaxWidth);
  // Nemotron-H: as many as are described.
  const std::size_t described = fields.length("layers_block_type");
  const auto layers = static_cast<std::uint32_t>(std::min<std::size_t>(described, kMaxLayers));
  c.layers = count({"num_hidden_layers", "n_layer", "n_layers"}, kMaxLayers,
                   layers > 0 ? std::optional(layers) : std::nullopt);
  c.nextn_layers = fields.count("num_nextn_predict_layers", 0, kMaxLayers, 0);
  c.vocab = fields.count("vocab_size", 2, kMaxVocab);
  c.context =
      count({"max_position_embeddings", "n_positions", "seq_length", "max_seq_len", "model_max_length"},
            kMaxContext, 2048);
  const char* epsilon =
      fields.first_of({"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"});
  // As a float it is not below the engine's 1e-20.
  c.norm_eps = fields.number(epsilon, 1e-19, 1, c.family->layer_norm ? 1e-5 : 1e-6);
  c.tied = fields.flag("tie_word_embeddings", c.family->tied);
  if (c.family->only_recurrent) return;
  JsonFields ffn = fields.object("ffn_config");
  std::optional<std::uint32_t> usual;
  if (c.family->usual_ffn > 0) usual = c.family->usual_ffn * c.hidden;
  if (ffn.has("ffn_hidden_size")) usual = ffn.count("ffn_hidden_size", 1, kMaxFfn);
  if (fields.length("intermediate_size") > 0) {
    const auto widths = fields.integers("intermediate_size", c.layers, c.layers, 1, kMaxFfn);
    c.ffn_of_layers.assign(widths.begin(), widths.end());
    usual = widths.empty() ? 1 : *std::max_element(c.ffn_of_layers.begin(), c.ffn_of_layers.end());
    c.ffn = *usual;
  } else {
    c.ffn =
        count({"intermediate_size", "n_inner", "ffn_hidden_size", "moe_intermediate_size"}, kMaxFfn, usual);
  }
  read_attention_sizes(fields, c);
}

/// Where clusters begin: increasing ranks in the vocabulary order, the first at least 1.
std::vector<std::int32_t> read_cutoffs(JsonFields& fields, std::uint32_t vocab) {
  auto cutoffs = fields.integers("cutoffs", 1, kMaxClusters, 1, std::int64_t{vocab} - 1);
  const auto wrong = std::adjacent_find(cutoffs.begin(), cutoffs.end(), std::greater_equal<>());
  if (wrong != cutoffs.end()) {
    fields.fail(ErrorCode::kBadFile, "cutoffs",
                sentence("each must be larger than the one before: ", wrong[1], " follows ", wrong[0]));
  }
  return cutoffs;
}

/// The ranks where classes begin, from their sizes.
std::vector<std::int32_t> read_classes(JsonFields& fields, std::uint32_t vocab) {
  const auto sizes = fields.integers("sizes", 1, kMaxClusters, 1, vocab);
  std::vector<std::int32_t> cutoffs;
  std::int64_t sum = 0;  // at most 2^14 sizes of at most 2^24
  for (const std::int32_t size : sizes) {
    cutoffs.push_back(static_cast<std::int32_t>(std::min<std::int64_t>(sum, vocab)));
    sum += size;
  }
  if (!sizes.empty() && sum != vocab) {
    fields.fail(ErrorCode::kBadFile, "sizes",
                sentence("their sum is ", sum, " instead of the ", vocab, " of vocab_size"));
  }
  return cutoffs;
}

/// The vocabulary order, the id at each rank: every id once.
std::vector<std::int32_t> read_order(JsonFields& fields, std::uint32_t vocab) {
  if (!fields.has("order")) return {};
  auto order = fields.integers("order", vocab, vocab, 0, std::int64_t{vocab} - 1);
  std::vector<bool> seen(vocab);
  for (const std::int32_t id : order) {
    if (seen[static_cast<std::size_t>(id)]) {
      fields.fail(ErrorCode::kBadFile, "order", sentence("it has the id ", id, " twice"));
      break;
    }
    seen[static_cast<std::size_t>(id)] = true;
  }
  return order;
}

/// The children of vocab - 1 tree nodes, each a node c before its parent or, if negative, the word -1 - c.
/// Every node but the last and every word is a child once.
std::vector<std::int32_t> read_children(JsonFields& fields, std::uint32_t vocab) {
  const std::size_t nodes = vocab - 1;
  auto children = fields.integers("children", 2 * nodes, 2 * nodes, -std::int64_t{vocab},
                                  static_cast<std::int64_t>(nodes) - 1);
  std::vector<bool> seen(nodes + vocab);  // nodes, then words
  for (std::size_t i = 0; i < children.size(); ++i) {
    const std::int32_t child = children[i];
    const bool is_node = child >= 0;
    const std::size_t index =
        is_node ? static_cast<std::size_t>(child) : nodes + static_cast<std::size_t>(-1 - child);
    if (is_node && index >= i / 2) {
      fields.fail(ErrorCode::kBadFile, "children",
                  sentence("node ", i / 2, " has the child ", child, ", which must be a node before it"));
      break;
    }
    if (seen[index]) {
      fields.fail(
          ErrorCode::kBadFile, "children",
          sentence(is_node ? sentence("node ", child) : sentence("word ", -1 - child), " is a child twice"));
      break;
    }
    seen[index] = true;
  }
  return children;
}

void read_head(JsonFields& fields, CheckpointConfig& c) {
  if (!fields.has("partita_head")) return;
  JsonFields head = fields.object("partita_head");
  c.head.name = head.text("kind", "");
  const auto found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const auto& k) { return k.first == c.head.name; });
  if (found == std::end(kKinds)) {
    return head.fail(ErrorCode::kUnsupported, "kind",
                     "must be 'dense', 'adaptive', 'classes', 'tree' or 'mixture'");
  }
  c.head.kind = found->second;
  if (c.head.kind == Kind::kAdaptive) c.head.cutoffs = read_cutoffs(head, c.vocab);
  if (c.head.kind == Kind::kClasses) c.head.cutoffs = read_classes(head, c.vocab);
  if (c.head.kind == Kind::kTree) c.head.children = read_children(head, c.vocab);
  const bool has_order = c.head.kind == Kind::kAdaptive || c.head.kind == Kind::kClasses;
  if (has_order) c.head.order = read_order(head, c.vocab);
  head.refuse_unknown_keys();
}

/// The text with null, and spaces, for the Infinity that Python writes outside strings.
std::string without_infinity(std::string_view text) {
  constexpr std::string_view kInfinity = "Infinity", kNull = "null    ";
  std::string out(text);
  bool in_string = false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (in_string && out[i] == '\\') {
      ++i;
    } else if (out[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && text.substr(i).starts_with(kInfinity)) {
      out.replace(i, kNull.size(), kNull);
    }
  }
  return out;
}

/// Whether the embedding can be the output matrix too.
void check_tied(JsonFields& fields, const CheckpointConfig& c) {
  const bool one_matrix = c.head.kind == Kind::kDense || c.head.kind == Kind::kMixture;
  if (!c.tied || (one_matrix && c.embedding_cutoffs.empty())) return;
  fields.fail(ErrorCode::kUnsupported, "tie_word_embeddings",
              sentence("a head of kind '", c.head.name, "' ",
                       c.embedding_cutoffs.empty() ? "shares no matrix with the embedding"
                                                   : "shares no matrix with embeddings in bands"));
}

}  // namespace

Result<CheckpointConfig> parse_checkpoint_config(std::string_view text, const std::string& name) {
  auto json = read_json(without_infinity(text), sentence("'", name, "'"), kConfigLimits);
  if (!json) return json.error();
  if (!json->is_object()) {
    return Error{ErrorCode::kBadFile,
                 sentence("'", name, "' is not a JSON object, as a config.json must be")};
  }
  CheckpointConfig c;
  c.larger = take_text_config(*json);
  std::optional<Error> error;
  JsonFields fields(*json, sentence("'", name, "': "), error);
  c.family = read_family(fields, *json, fields.has("partita_head") || fields.has("partita_embedding"));
  if (c.family != nullptr) {
    c.architecture = c.family->architecture;
    for (const auto& [key, value] : c.family->usual) {
      if (auto& found = (*json)[key]; found.is_null()) found = value;
    }
  }
  if (!error) check_activation(fields, *c.family);
  if (fields.has("quantization_config")) check_quantization(fields);
  if (!error) read_sizes(fields, c);
  const bool attends = !error && !c.family->only_recurrent;
  if (attends) read_experts(fields, c);
  if (attends && !error) read_rope(fields, c);
  if (!error && c.family->keys != nullptr) c.family->keys(fields, c);
  if (!error) add_sizes(c);
  if (!error) read_head(fields, c);
  if (!error && fields.has("partita_embedding")) {
    JsonFields embedding = fields.object("partita_embedding");
    c.embedding_cutoffs = read_cutoffs(embedding, c.vocab);
    embedding.refuse_unknown_keys();
  }
  if (!error) check_tied(fields, c);
  if (error) return *error;
  return c;
}

Result<CheckpointConfig> read_checkpoint_config(const std::string& path) {
  const auto text = read_text_file(path, "a config.json", kConfigLimits.bytes);
  if (!text) return text.error();
  return parse_checkpoint_config(*text, printable(path));
}

}  // namespace partita::internal
