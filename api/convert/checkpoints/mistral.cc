// Mistral 7B: a sliding window.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::mistral {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) { read_windows(fields, config, {.window = 4096}); }

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "mistral",
                                        .class_name = "MistralForCausalLM",
                                        .architecture = "llama",
                                        .keys = keys,
                                        .layer = layer,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::mistral
