// Qwen 2 and 2.5: biases of Q, K and V; windows in some layers.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::qwen2 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_windows(fields, config, {.window = 4096, .first_local = 28, .switched = true});
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "qwen2",
                                        .class_name = "Qwen2ForCausalLM",
                                        .architecture = "qwen2",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::qwen2
