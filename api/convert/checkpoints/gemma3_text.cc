// Gemma 3, text: norms of Q and K, local layers with a RoPE of their own.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/gemma.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::gemma3_text {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_windows(fields, config, fields.count("sliding_window_pattern", 1, kMaxLayers, 6));
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
                                        .activation = "gelu_pytorch_tanh",
                                        .norm_offset = 1};

}  // namespace partita::internal::checkpoints::gemma3_text
