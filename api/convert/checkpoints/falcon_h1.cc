// Falcon-H1: attention and Mamba-2 side by side in every layer; multipliers, which become part of the
// weights.
#include <utility>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/state_space.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::falcon_h1 {
namespace {

/// CheckpointConfig::multipliers. Gate to kSteps are of the rows of Mamba-2's in_proj.
enum Multiplier {
  kAttentionIn,
  kAttentionOut,
  kKey,
  kIn,
  kOut,
  kFfnGate,
  kFfnDown,
  kGate,
  kValues,
  kB,
  kC,
  kSteps
};

constexpr double kLeast = 1e-6, kMost = 1e6;

float read_multiplier(JsonFields& fields, const char* key) {
  return static_cast<float>(fields.number(key, kLeast, kMost, 1));
}

void read_multipliers(JsonFields& fields, CheckpointConfig& config) {
  std::vector<float>& all = config.multipliers;
  for (const char* key : {"attention_in_multiplier", "attention_out_multiplier", "key_multiplier",
                          "ssm_in_multiplier", "ssm_out_multiplier"})
    all.push_back(read_multiplier(fields, key));
  for (const auto& [key, count] : {std::pair{"mlp_multipliers", 2}, std::pair{"ssm_multipliers", 5}}) {
    const auto size = static_cast<std::size_t>(count);
    const auto part =
        fields.has(key) ? fields.numbers(key, size, kLeast, kMost) : std::vector<float>(size, 1.0F);
    all.insert(all.end(), part.begin(), part.end());
  }
  all.resize(kSteps + 1);
  config.embedding_scale = read_multiplier(fields, "embedding_multiplier");
  config.head_scale = read_multiplier(fields, "lm_head_multiplier");
}

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_multipliers(fields, config);
  read_mamba2(fields, config);
  if (fields.flag("mamba_rms_norm", false) && fields.flag("mamba_norm_before_gate", true))
    fields.fail(ErrorCode::kUnsupported, "mamba_norm_before_gate",
                "only a norm after the gate can be converted");
  for (const char* key : {"partita_head", "partita_embedding"}) {
    if (fields.has(key))
      fields.fail(ErrorCode::kUnsupported, key, "this family's embedding and head have multipliers");
  }
}

void copy_mixers(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  const auto& s = c.state_space;
  const std::vector<float>& by = c.multipliers;
  const std::size_t shared = std::size_t{s.groups} * s.places;
  in.scaled("self_attn.q_proj", "attn_q", {{c.query_width(), by[kAttentionIn]}}, c.hidden);
  in.scaled("self_attn.k_proj", "attn_k", {{c.key_width(), by[kAttentionIn] * by[kKey]}}, c.hidden);
  in.scaled("self_attn.v_proj", "attn_v", {{c.key_width(), by[kAttentionIn]}}, c.hidden);
  in.scaled("self_attn.o_proj", "attn_output", {{c.hidden, by[kAttentionOut]}}, c.query_width());
  in.scaled("mamba.in_proj", "ssm_in",
            {{s.width, by[kIn] * by[kGate]},
             {s.width, by[kIn] * by[kValues]},
             {shared, by[kIn] * by[kB]},
             {shared, by[kIn] * by[kC]},
             {s.heads, by[kIn] * by[kSteps]}},
            c.hidden);
  copy_mamba2_scan(in, "mamba.");
  in.scaled("mamba.out_proj", "ssm_out", {{c.hidden, by[kOut]}}, s.width);
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.norm("input_layernorm", "attn_norm", c.hidden);
  copy_mixers(in);
  in.vector("pre_ff_layernorm.weight", "ffn_norm", c.hidden);  // the name has no suffix in model files
  in.scaled("feed_forward.gate_proj", "ffn_gate", {{c.ffn, c.multipliers[kFfnGate]}}, c.hidden);
  in.linear("feed_forward.up_proj", "ffn_up", c.ffn, c.hidden);
  in.scaled("feed_forward.down_proj", "ffn_down", {{c.hidden, c.multipliers[kFfnDown]}}, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "falcon_h1",
                                        .class_name = "FalconH1ForCausalLM",
                                        .architecture = "falcon-h1",
                                        .names = {.norm = "model.final_layernorm"},
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::falcon_h1
