// What checkpoints of Gemma 3n and 4 share: embeddings per layer (engine/token_inputs.h), shared keys and
// values.
#include "api/convert/checkpoints/gemma.h"
#include "engine/limits.h"

namespace partita::internal {

std::uint32_t read_token_inputs(JsonFields& fields, CheckpointConfig& c) {
  c.token_input_width = fields.count("hidden_size_per_layer_input", 0, kMaxWidth / c.layers, 0);
  c.keys.add("embedding_length_per_layer_input", c.token_input_width);
  c.keys.add("final_logit_softcapping",
             static_cast<float>(fields.number("final_logit_softcapping", 0, 1e6, 0)));
  c.token_input_vocab = fields.count("vocab_size_per_layer_input", 1, c.vocab, c.vocab);
  const std::uint32_t shared = fields.count("num_kv_shared_layers", 0, c.layers - 1, 0);
  c.keys.add("attention.shared_kv_layers", shared);
  return shared;
}

void copy_token_input(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.linear("per_layer_input_gate", "inp_gate", c.token_input_width, c.hidden);
  in.linear("per_layer_projection", "proj", c.hidden, c.token_input_width);
  in.norm("post_per_layer_input_norm", "post_norm", c.hidden);
}

void copy_shared_attention(LayerCopy& in) {
  const HeadSizes heads = in.head_sizes();
  const std::size_t hidden = in.config().hidden;
  in.rotary("self_attn.q_proj", "attn_q", heads.queries * heads.key_dim);
  in.norm("self_attn.q_norm", "attn_q_norm", heads.key_dim);
  in.linear("self_attn.o_proj", "attn_output", hidden, heads.queries * heads.key_dim);
  if (!in.has("self_attn.k_proj")) return;
  in.rotary("self_attn.k_proj", "attn_k", heads.keys * heads.key_dim);
  in.norm("self_attn.k_norm", "attn_k_norm", heads.key_dim);
  if (in.has("self_attn.v_proj")) in.linear("self_attn.v_proj", "attn_v", heads.keys * heads.key_dim, hidden);
}

void copy_token_inputs(LayerCopy& whole) {
  const CheckpointConfig& c = whole.config();
  const std::size_t all = std::size_t{c.layers} * c.token_input_width;
  if (all == 0) return;
  // The last ids of multimodal models have no rows.
  whole.padded("model.embed_tokens_per_layer", "per_layer_token_embd", c.token_input_vocab, c.vocab, all);
  whole.linear("model.per_layer_model_projection", "per_layer_model_proj", all, c.hidden);
  whole.norm("model.per_layer_projection_norm", "per_layer_proj_norm", c.token_input_width);
}

}  // namespace partita::internal
