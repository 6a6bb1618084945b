// Llama 1 to 3, SmolLM2 and others that only carry its name.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::llama {

extern const CheckpointFamily family = {.model_type = "llama",
                                        .class_name = "LlamaForCausalLM",
                                        .architecture = "llama",
                                        .layer =
                                            [](LayerCopy& in) {
                                              in.pre_norms();
                                              in.attention();
                                              in.ffn();
                                            },
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::llama
