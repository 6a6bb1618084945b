// LFM2, mixtures of experts (Liquid AI 2025), chosen by sigmoid with a bias; the first layers are dense.
#include "engine/models/family.h"
#include "engine/models/lfm2.h"

namespace partita::internal::models::lfm2moe {

extern const Family family = {.name = "lfm2moe",
                              .partial_layers = true,
                              .read = read_lfm2,
                              .layer = lfm2_layer,
                              .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::lfm2moe
