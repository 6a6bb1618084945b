// Llama 4, text: layers that attend to chunks, mixtures of experts with a shared one.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal::checkpoints::llama4_text {
namespace {

constexpr std::uint32_t kUnnormedExperts = 128;

/// What model files have no keys for.
void check_constants(JsonFields& fields, const CheckpointConfig& config) {
  fields.only("attention_chunk_size", 8192.0);
  fields.only("floor_scale", 8192.0);
  fields.only("attn_scale", 0.1);
  fields.only("attn_temperature_tuning", true);
  if (fields.flag("use_qk_norm", true) == (config.experts == kUnnormedExperts))
    fields.fail(ErrorCode::kUnsupported, "use_qk_norm",
                sentence("model files have no such norms with ", kUnnormedExperts,
                         " experts and have them with others"));
}

void keys(JsonFields& fields, CheckpointConfig& config) {
  check_constants(fields, config);
  check_rope_layers(fields, config);
  config.expert_ffn = config.shared_ffn = config.ffn;
  config.ffn = fields.count("intermediate_size_mlp", 1, kMaxFfn);
  config.keys.add("expert_feed_forward_length", config.expert_ffn);
  config.keys.add("interleave_moe_layer_step", fields.count("interleave_moe_layer_step", 1, kMaxLayers, 1));
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.pre_norms();
  in.attention();
  if (!in.has("feed_forward.router")) return in.ffn("feed_forward.");
  const std::size_t width = c.expert_ffn;
  in.router("feed_forward.router", "ffn_gate_inp", c.experts);
  in.transposed_experts("feed_forward.experts.gate_up_proj", "ffn_gate_exps", every(0, 1, width), 2 * width,
                        c.hidden);
  in.transposed_experts("feed_forward.experts.gate_up_proj", "ffn_up_exps", every(width, 1, width), 2 * width,
                        c.hidden);
  in.transposed_experts("feed_forward.experts.down_proj", "ffn_down_exps", every(0, 1, c.hidden), c.hidden,
                        width);
  in.shared_experts("feed_forward.shared_expert.");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "llama4_text",
                                        .class_name = "Llama4ForCausalLM",
                                        .architecture = "llama4",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::llama4_text
