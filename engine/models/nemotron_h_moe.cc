// Nemotron 3 (NVIDIA 2025): Nemotron-H with mixtures of ungated experts, chosen by sigmoid with a bias.
#include "engine/models/family.h"
#include "engine/models/nemotron_h.h"

namespace partita::internal::models::nemotron_h_moe {

extern const Family family = {.name = "nemotron_h_moe",
                              .partial_layers = true,
                              .read = read_nemotron_h,
                              .layer = nemotron_h_layer,
                              .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::nemotron_h_moe
