// Qwen 3, dense.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::qwen3 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_windows(fields, config, {.window = 4096, .first_local = 28, .switched = true});
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.head_norms();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "qwen3",
                                        .class_name = "Qwen3ForCausalLM",
                                        .architecture = "qwen3",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::qwen3
