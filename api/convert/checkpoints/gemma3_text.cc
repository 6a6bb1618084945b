// Gemma 3, text: norms of Q and K, local layers with a RoPE of their own.
#include <cstdint>
#include <utility>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/gemma.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::gemma3_text {
namespace {

/// The larger models of the family have the text model's config.json in theirs, without these.
constexpr std::pair<const char*, std::uint32_t> kUsual[] = {
    {"num_attention_heads", 8}, {"num_key_value_heads", 4},          {"head_dim", 256},
    {"vocab_size", 262208},     {"max_position_embeddings", 131072}, {"query_pre_attn_scalar", 256},
    {"rope_theta", 1000000},    {"rope_local_base_freq", 10000}};

void keys(JsonFields& fields, CheckpointConfig& config) {
  fields.only("attn_logit_softcapping", {});
  fields.only("final_logit_softcapping", {});
  fields.only("use_bidirectional_attention", false);
  read_windows(fields, config, {.window = 4096, .period = 6, .period_key = "sliding_window_pattern"});
  read_query_scalar(fields, config);
  config.keys.add("rope.freq_base_swa", static_cast<float>(config.local_rope_base));
}

void layer(LayerCopy& in) {
  copy_gemma2(in);
  in.head_norms();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "gemma3_text",
                                        .class_name = "Gemma3ForCausalLM",
                                        .architecture = "gemma3",
                                        .keys = keys,
                                        .layer = layer,
                                        .tied = true,
                                        .usual = kUsual,
                                        .activation = "gelu_pytorch_tanh",
                                        .norm_offset = 1};

}  // namespace partita::internal::checkpoints::gemma3_text
