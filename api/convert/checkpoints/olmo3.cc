// OLMo 3: the same with local layers.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/olmo.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::olmo3 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_windows(fields, config, {.window = 4096, .period = 4});
  config.keys.add("rope.freq_base_swa", static_cast<float>(config.local_rope_base));
}

void layer(LayerCopy& in) { copy_olmo2(in); }

}  // namespace

extern const CheckpointFamily family = {.model_type = "olmo3",
                                        .class_name = "Olmo3ForCausalLM",
                                        .architecture = "olmo2",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::olmo3
