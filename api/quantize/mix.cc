#include "api/quantize/mix.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <numeric>

#include "engine/limits.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr Mix kMixes[] = {
    {"F16", 1, Dtype::kF16},        {"BF16", 32, Dtype::kBF16},     {"Q8_0", 7, Dtype::kQ8_0},
    {"Q6_K", 18, Dtype::kQ6_K},     {"Q5_K_M", 17, Dtype::kQ5_K},   {"Q5_K_S", 16, Dtype::kQ5_K},
    {"Q5_1", 9, Dtype::kQ5_1},      {"Q5_0", 8, Dtype::kQ5_0},      {"Q4_K_M", 15, Dtype::kQ4_K},
    {"Q4_K_S", 14, Dtype::kQ4_K},   {"Q4_1", 3, Dtype::kQ4_1},      {"Q4_0", 2, Dtype::kQ4_0},
    {"IQ4_NL", 25, Dtype::kIQ4_NL}, {"IQ4_XS", 30, Dtype::kIQ4_XS}, {"MXFP4", 38, Dtype::kMXFP4},
    {"Q3_K_L", 13, Dtype::kQ3_K},   {"Q3_K_M", 12, Dtype::kQ3_K},   {"Q3_K_S", 11, Dtype::kQ3_K},
    {"Q2_K", 10, Dtype::kQ2_K},     {"Q2_K_S", 21, Dtype::kQ2_K},
};

/// The types of a budget, fewest bits first: for rows of whole blocks of 256, and of 32.
constexpr std::array kLargeBlocks = {Dtype::kQ2_K, Dtype::kQ3_K, Dtype::kIQ4_XS, Dtype::kQ4_K,
                                     Dtype::kQ5_K, Dtype::kQ6_K, Dtype::kQ8_0,   Dtype::kF16};
constexpr std::array kSmallBlocks = {Dtype::kIQ4_NL, Dtype::kQ5_0, Dtype::kQ5_1, Dtype::kQ8_0, Dtype::kF16};

/// What a tensor is in the model, as far as the rules tell apart.
enum class TensorRole : std::uint8_t { kOutput, kEmbedding, kValues, kKeys, kAttentionOutput, kDown, kOther };

struct RoleName {
  std::string_view part;  // of a tensor's name
  TensorRole role;
};

/// In the order in which they are tried. Queries, keys and values in one matrix count as values.
constexpr RoleName kRoleNames[] = {
    {"attn_qkv.weight", TensorRole::kValues},
    {"attn_kv_b.weight", TensorRole::kValues},
    {"attn_v.weight", TensorRole::kValues},
    {"attn_k.weight", TensorRole::kKeys},
    {"attn_output.weight", TensorRole::kAttentionOutput},
    {"ffn_down", TensorRole::kDown},
};

bool has(std::string_view name, std::string_view part) { return name.find(part) != std::string_view::npos; }

TensorRole role_of(std::string_view name) {
  if (name == "output.weight") return TensorRole::kOutput;
  if (name == "token_embd.weight" || name == "per_layer_token_embd.weight") return TensorRole::kEmbedding;
  for (const auto& [part, role] : kRoleNames) {
    if (has(name, part)) return role;
  }
  return TensorRole::kOther;
}

/// Parts of the names of matrices that are small, or that lose much by quantization.
constexpr std::string_view kKept[] = {
    "_norm.weight",
    "ffn_gate_inp.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
};

/// Whether a tensor is a matrix, or a stack of them, that the mixes change.
bool is_quantized(const TensorView& tensor) {
  const auto longest = std::find_if(tensor.shape.begin(), tensor.shape.end(), [](auto d) { return d > 1; });
  const auto dimensions = tensor.shape.end() - longest;  // without leading ones
  const bool kept = std::any_of(std::begin(kKept), std::end(kKept),
                                [&](std::string_view part) { return has(tensor.name, part); });
  return dimensions >= 2 && tensor.name.ends_with("weight") && !kept &&
         tensor.name != "position_embd.weight" && tensor.name != "token_types.weight";
}

std::uint64_t columns(const TensorView& tensor) { return tensor.shape[tensor.shape.size() - 1]; }

/// The number after "blk."; -1 if there is none.
int layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  int layer = -1;
  if (name.starts_with(kPrefix))
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  return layer;
}

/// What the rules ask about a model.
struct ModelFacts {
  std::string architecture;
  int layers = 0, experts = 0;
  int queries_per_key = 0;  // query heads that share a key head, in the first layer
  int value_tensors = 0;
  bool tied = false;  // the LM head is the token embedding
  bool shares_values_widely = false;
  bool importance = false;

  bool falcon() const { return architecture == "falcon"; }
};

/// A number of the metadata, of an array its first, at most kMaxHeads: all that are compared are less; 0:
/// there is none.
int number_of(const Gguf& model, const std::string& key) {
  const GgufValue* value = model.find(key);
  if (value == nullptr) return 0;
  std::uint64_t number = 0;
  if (const auto* array = std::get_if<GgufArray>(value)) {
    number = array->uint_at(0).value_or(0);
  } else if (const auto found = model.get_uint(key)) {
    number = *found;
  }
  return static_cast<int>(std::min<std::uint64_t>(number, kMaxHeads));
}

/// Models of 70 billion parameters, in which eight query heads share a value head.
bool is_70b(const ModelFacts& facts) {
  if (facts.architecture == "jais2") return facts.layers == 68;
  if (facts.layers != 80) return false;
  return facts.architecture == "qwen2" || facts.architecture == "deci" || facts.architecture == "olmo" ||
         (facts.architecture == "llama" && facts.queries_per_key != 1);
}

ModelFacts facts_of(const Gguf& model, bool importance) {
  ModelFacts facts;
  if (const auto architecture = model.get_string("general.architecture")) facts.architecture = *architecture;
  const auto number = [&](std::string_view key) {
    return number_of(model, sentence(facts.architecture, ".", key));
  };
  facts.layers = number("block_count");
  facts.experts = number("expert_count");
  const int heads = number("attention.head_count");
  const bool names_kv = model.find(facts.architecture + ".attention.head_count_kv") != nullptr;
  const int kv_heads = names_kv ? number("attention.head_count_kv") : heads;
  facts.queries_per_key = kv_heads > 0 ? heads / kv_heads : 0;
  facts.tied = !model.has_tensor("output.weight");
  facts.importance = importance;
  facts.shares_values_widely = is_70b(facts);
  for (const TensorView& tensor : model.tensors()) {
    if (role_of(tensor.name) == TensorRole::kValues) ++facts.value_tensors;
  }
  return facts;
}

/// The rules of one mix. Tensors are asked for in the order of layers and names, because the rules count.
class Rules {
 public:
  Rules(const Mix& mix, const ModelFacts& facts) : mix_(mix), facts_(facts) {}

  Dtype type_of(const TensorView& tensor) {
    const TensorRole role = role_of(tensor.name);
    if (role == TensorRole::kOutput || (facts_.tied && role == TensorRole::kEmbedding))
      return of_output(tensor);
    if (is("MXFP4")) return is_stack(tensor) ? Dtype::kMXFP4 : Dtype::kQ8_0;
    if (role == TensorRole::kValues) return of_values(values_++);
    if (role == TensorRole::kKeys && facts_.experts == 8) return Dtype::kQ8_0;
    if (role == TensorRole::kDown) {
      const int counted = downs_++;
      return of_down(facts_.experts > 1 ? layer_of(tensor.name) : counted);
    }
    if (role == TensorRole::kAttentionOutput) return of_attention_output();
    return mix_.base;
  }

 private:
  template <class... Names>
  bool is(Names... names) const {
    return ((mix_.name == names) || ...);
  }

  static bool is_stack(const TensorView& tensor) {
    return tensor.shape.size() > 2 && tensor.shape[tensor.shape.size() - 3] > 1;
  }

  /// The first and last eighth of the layers, and every third between.
  static bool gets_more_bits(int layer, int layers) {
    return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
  }

  Dtype of_output(const TensorView& tensor) const {
    const bool whole_blocks = columns(tensor) % block_elements(mix_.base) == 0;
    if (is("MXFP4", "Q8_0") || facts_.falcon() || !whole_blocks) return Dtype::kQ8_0;
    return Dtype::kQ6_K;
  }

  Dtype of_values(int index) const {
    if (facts_.experts == 8) return Dtype::kQ8_0;  // small beside the experts
    const Dtype type = of_values_of_mix(index);
    const bool raised = facts_.shares_values_widely && (type == Dtype::kQ3_K || type == Dtype::kQ4_K);
    return raised ? Dtype::kQ5_K : type;
  }

  Dtype of_values_of_mix(int index) const {
    const bool shared =
        facts_.queries_per_key >= 4;  // the tensor is small beside the queries: more bits cost little
    if (is("Q2_K")) return shared ? Dtype::kQ4_K : Dtype::kQ3_K;
    if (is("Q2_K_S") && shared) return Dtype::kQ4_K;
    if (is("Q3_K_M")) return index < 2 ? Dtype::kQ5_K : Dtype::kQ4_K;
    if (is("Q3_K_L")) return Dtype::kQ5_K;
    if (is("IQ4_NL", "IQ4_XS") && shared) return Dtype::kQ5_K;
    if (is("Q4_K_M", "Q5_K_M") && gets_more_bits(index, facts_.value_tensors)) return Dtype::kQ6_K;
    if (is("Q4_K_S") && index < 4) return Dtype::kQ5_K;
    return mix_.base;
  }

  Dtype of_down(int layer) const {
    if (facts_.falcon()) return of_down_of_falcon(layer);
    const bool more = gets_more_bits(layer, facts_.layers), early = layer < facts_.layers / 8;
    if (is("Q2_K")) return Dtype::kQ3_K;
    if (is("Q2_K_S") && early) return Dtype::kQ4_K;
    if (is("Q3_K_M")) return layer < facts_.layers / 16 ? Dtype::kQ5_K : Dtype::kQ4_K;
    if (is("Q3_K_L")) return Dtype::kQ5_K;
    if (is("Q4_K_M", "Q5_K_M") && more) return Dtype::kQ6_K;
    if (is("Q4_K_S") && early) return Dtype::kQ5_K;
    return of_early_down(early);
  }

  Dtype of_down_of_falcon(int layer) const {
    const bool more = gets_more_bits(layer, facts_.layers), early = layer < facts_.layers / 8;
    const bool first = layer < facts_.layers / 16;
    if (is("Q2_K")) return Dtype::kQ3_K;
    if (is("Q2_K_S") && early) return Dtype::kQ4_K;
    if (is("Q3_K_M")) return first ? Dtype::kQ5_K : more ? Dtype::kQ4_K : Dtype::kQ3_K;
    if (is("Q3_K_L")) return Dtype::kQ4_K;
    if (is("Q4_K_M")) return first ? Dtype::kQ6_K : more ? Dtype::kQ5_K : Dtype::kQ4_K;
    if (is("Q5_K_M") && more) return Dtype::kQ6_K;
    return of_early_down(early);
  }

  /// Rules of the first layers that depend on importance.
  Dtype of_early_down(bool early) const {
    if (is("IQ4_NL", "IQ4_XS") && early && !facts_.importance) return Dtype::kQ5_K;
    // With importance a fit may ignore a few huge weights there; a minimum guards them.
    if (is("Q4_0") && early && facts_.importance) return Dtype::kQ4_1;
    if (is("Q5_0") && early && facts_.importance) return Dtype::kQ5_1;
    return mix_.base;
  }

  Dtype of_attention_output() const {
    if (facts_.falcon()) return is("Q3_K_L") ? Dtype::kQ4_K : mix_.base;
    if (facts_.experts == 8) {
      const bool more = is("Q2_K", "Q3_K_S", "Q3_K_M", "IQ4_NL", "IQ4_XS", "Q4_K_S", "Q4_K_M");
      return more ? Dtype::kQ5_K : mix_.base;
    }
    if (is("Q2_K")) return Dtype::kQ3_K;
    if (is("Q3_K_M")) return Dtype::kQ4_K;
    return is("Q3_K_L") ? Dtype::kQ5_K : mix_.base;
  }

  const Mix& mix_;
  const ModelFacts& facts_;
  int values_ = 0, downs_ = 0;  // tensors of the role so far
};

/// The type in whose place another is used where rows are no whole blocks of 256.
Dtype smaller_blocks(Dtype type) {
  switch (type) {
    case Dtype::kQ2_K:
    case Dtype::kQ3_K:
      return Dtype::kQ4_0;
    case Dtype::kIQ4_XS:
      return Dtype::kIQ4_NL;
    case Dtype::kQ4_K:
      return Dtype::kQ5_0;
    case Dtype::kQ5_K:
      return Dtype::kQ5_1;
    case Dtype::kQ6_K:
      return Dtype::kQ8_0;
    default:
      return type;
  }
}

TensorType fitting(const TensorView& tensor, Dtype type) {
  const auto fits = [&](Dtype one) { return columns(tensor) % block_elements(one) == 0; };
  if (fits(type)) return {type};
  const Dtype smaller = smaller_blocks(type);
  return {fits(smaller) ? smaller : Dtype::kF16, true};
}

std::optional<Dtype> overridden(const TensorView& tensor, const TypeOverrides& overrides, bool tied) {
  const TensorRole role = role_of(tensor.name);
  if (role == TensorRole::kEmbedding && overrides.embedding) return overrides.embedding;
  if (role == TensorRole::kOutput && overrides.output) return overrides.output;
  for (const auto& [part, type] : overrides.by_name) {
    if (has(tensor.name, part)) return type;
  }
  if (role == TensorRole::kEmbedding && tied) return overrides.output;
  return std::nullopt;
}

/// Every part of a name must be in one.
Result<void> check_names(const std::vector<TensorView>& tensors, const TypeOverrides& overrides) {
  for (const auto& [part, type] : overrides.by_name) {
    const std::string_view wanted = part;
    const auto named = [&](const TensorView& tensor) {
      return is_quantized(tensor) && has(tensor.name, wanted);
    };
    if (std::any_of(tensors.begin(), tensors.end(), named)) continue;
    return invalid("no tensor that is quantized has ", quoted(wanted),
                   " in its name: partita inspect lists the names");
  }
  return {};
}

/// Indices of the tensors by layer, those of no layer first, and then by name.
std::vector<std::size_t> rule_order(const std::vector<TensorView>& tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(layer_of(tensors[a].name), tensors[a].name) <
           std::pair(layer_of(tensors[b].name), tensors[b].name);
  });
  return order;
}

}  // namespace

std::span<const Mix> mixes() { return kMixes; }

Result<std::vector<TensorType>> choose_types(const Gguf& model, const Mix& mix,
                                             const TypeOverrides& overrides, bool importance) {
  const ModelFacts facts = facts_of(model, importance);
  const std::vector<TensorView>& tensors = model.tensors();
  TRY(check_names(tensors, overrides));
  const bool has_rules = block_elements(mix.base) > 1;
  std::vector<TensorType> types(tensors.size());
  Rules rules(mix, facts);
  for (const std::size_t i : rule_order(tensors)) {
    const TensorView& tensor = tensors[i];
    types[i] = {tensor.dtype};
    if (!is_quantized(tensor)) continue;
    const auto asked = overridden(tensor, overrides, facts.tied);
    types[i] = fitting(tensor, asked ? *asked : has_rules ? rules.type_of(tensor) : mix.base);
    const TensorRole role = role_of(tensor.name);
    const bool whole = role != TensorRole::kOutput && role != TensorRole::kEmbedding;
    if (mix.name == "Q2_K_S" && types[i].dtype == Dtype::kQ2_K && whole && !importance) {
      return invalid("the mix Q2_K_S needs importance, and ", quoted(tensor.name),
                     " would lose too much without: give a file with --imatrix, or take Q2_K");
    }
  }
  return types;
}

Result<std::vector<std::vector<Dtype>>> candidate_types(const Gguf& model, const TypeOverrides& overrides) {
  const ModelFacts facts = facts_of(model, false);
  const std::vector<TensorView>& tensors = model.tensors();
  TRY(check_names(tensors, overrides));
  std::vector<std::vector<Dtype>> candidates;
  for (const TensorView& tensor : tensors) {
    std::vector<Dtype>& own = candidates.emplace_back();
    const auto asked = overridden(tensor, overrides, facts.tied);
    if (!is_quantized(tensor)) {
      own = {tensor.dtype};
    } else if (asked) {
      own = {fitting(tensor, *asked).dtype};
    } else if (columns(tensor) % block_elements(kLargeBlocks.front()) == 0) {
      own.assign(kLargeBlocks.begin(), kLargeBlocks.end());
    } else if (columns(tensor) % block_elements(kSmallBlocks.front()) == 0) {
      own.assign(kSmallBlocks.begin(), kSmallBlocks.end());
    } else {
      own = {Dtype::kF16};
    }
  }
  return candidates;
}

}  // namespace partita::internal
