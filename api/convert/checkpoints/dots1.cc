// dots.llm1.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/checkpoints/windows.h"

namespace partita::internal::checkpoints::dots1 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_windows(fields, config, {.window = 4096, .first_local = 62});
  read_routing(fields, config, "sigmoid");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "dots1",
                                        .class_name = "Dots1ForCausalLM",
                                        .architecture = "dots1",
                                        .keys = keys,
                                        .layer = copy_normed_routed_layer};

}  // namespace partita::internal::checkpoints::dots1
