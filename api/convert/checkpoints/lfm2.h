// What the families of LFM2 share.
#pragma once

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

/// The width of the convolutions, and the layers that have attention instead.
void read_short_convolutions(JsonFields& fields, CheckpointConfig& config);

/// The last norm, which model files name after the embedding.
void copy_lfm2_norm(LayerCopy& in);

/// The norms and the mixer of a layer, and a dense FFN.
void copy_lfm2_mixer(LayerCopy& in);
void copy_lfm2_ffn(LayerCopy& in);

}  // namespace partita::internal
