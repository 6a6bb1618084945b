// Mixtral: a mixture of experts in the names of its authors.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::mixtral {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.expert_ffn = config.ffn;
  read_windows(fields, config);
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.mixture_of_w("block_sparse_moe.");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "mixtral",
                                        .class_name = "MixtralForCausalLM",
                                        .architecture = "llama",
                                        .keys = keys,
                                        .layer = layer,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::mixtral
