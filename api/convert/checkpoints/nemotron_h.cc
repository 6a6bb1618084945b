// Nemotron-H and Nemotron 3: a layer is Mamba-2, attention without RoPE, an FFN or a mixture of experts.
#include <string>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/checkpoints/state_space.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal::checkpoints::nemotron_h {
namespace {

/// The letter of a layer in hybrid_override_pattern; '?' for an unknown type.
char letter_of(std::string_view type) {
  if (is_attention(type)) return '*';
  if (type == "mamba" || type == "linear_attention") return 'M';
  return type == "moe" ? 'E' : type == "mlp" ? '-' : '?';
}

/// A letter for each layer.
std::string read_pattern(JsonFields& fields, const CheckpointConfig& config) {
  std::string pattern;
  for (const std::string& type : fields.texts("layers_block_type", config.layers)) pattern += letter_of(type);
  if (pattern.empty()) pattern = fields.text("hybrid_override_pattern", "");
  const bool known = pattern.find_first_not_of("M*-E") == std::string::npos;
  if (known && pattern.size() == config.layers) return pattern;
  fields.fail(ErrorCode::kBadFile, fields.first_of({"layers_block_type", "hybrid_override_pattern"}),
              sentence("must say of each of the ", config.layers,
                       " layers that it is Mamba-2, attention, an FFN or a mixture of experts"));
  return std::string(config.layers, 'M');
}

void check_activations(JsonFields& fields) {
  if (fields.text("mlp_hidden_act", "relu2") != "relu2")
    fields.fail(ErrorCode::kUnsupported, "mlp_hidden_act", "only 'relu2' can be converted");
  if (fields.text("mamba_hidden_act", "silu") != "silu")
    fields.fail(ErrorCode::kUnsupported, "mamba_hidden_act", "only 'silu' can be converted");
  if (fields.has("moe_latent_size"))
    fields.fail(ErrorCode::kUnsupported, "moe_latent_size", "experts of latent vectors cannot be converted");
}

void read_mixture(JsonFields& fields, CheckpointConfig& config) {
  config.architecture = "nemotron_h_moe";
  read_routing(fields, config, "sigmoid");
  config.shared_ffn = fields.count("moe_shared_expert_intermediate_size", 1, kMaxFfn);
  config.keys.add("expert_shared_feed_forward_length", config.shared_ffn);
}

void keys(JsonFields& fields, CheckpointConfig& config) {
  const std::string pattern = read_pattern(fields, config);
  const bool has_experts = pattern.find('E') != std::string::npos;
  check_activations(fields);
  if (has_experts && pattern.find('-') != std::string::npos)
    fields.fail(ErrorCode::kUnsupported, "num_experts_per_tok",
                "layers with an FFN beside layers with experts cannot be converted");
  if (!has_experts) {  // then what config.json says of experts means nothing
    config.keys = {};
    config.experts = 0;
  } else {
    read_mixture(fields, config);
  }
  read_mamba2(fields, config);
  read_attention_layers(config, [&](std::size_t i) { return pattern[i] == '*'; });
  const std::uint32_t ffn = has_experts ? config.expert_ffn : config.ffn;
  for (const char letter : pattern) config.ffn_of_layers.push_back(letter == '-' || letter == 'E' ? ffn : 0);
  config.context = kNoContextLimit;
  config.keys.add("rope.scaling.finetuned", false);
  config.keys.add("attention.layer_norm_epsilon", static_cast<float>(config.norm_eps));
}

void copy_mixture(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.router("mixer.gate", "ffn_gate_inp", c.experts);
  in.vector("mixer.gate.e_score_correction_bias", "exp_probs_b.bias", c.experts);
  in.experts("mixer.experts.", "up_proj", "ffn_up_exps", c.expert_ffn, c.hidden);
  in.experts("mixer.experts.", "down_proj", "ffn_down_exps", c.hidden, c.expert_ffn);
  in.linear("mixer.shared_experts.up_proj", "ffn_up_shexp", c.shared_ffn, c.hidden);
  in.linear("mixer.shared_experts.down_proj", "ffn_down_shexp", c.hidden, c.shared_ffn);
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.norm("norm", "attn_norm", c.hidden);
  if (in.has_attention()) return in.attention("mixer.");
  if (!in.has_ffn()) return copy_mamba2(in, "mixer.");
  c.experts > 0 ? copy_mixture(in) : in.ungated_ffn("mixer.");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "nemotron_h",
                                        .class_name = "NemotronHForCausalLM",
                                        .architecture = "nemotron_h",
                                        .names = kBackboneNames,
                                        .keys = keys,
                                        .layer = layer,
                                        .ignored = "mtp.",
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::nemotron_h
