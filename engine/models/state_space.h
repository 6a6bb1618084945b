// What the families with state-space layers share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/config.h"
#include "engine/layers/mamba.h"
#include "engine/layers/mamba2.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// Checks the memory that states need: `places` numbers of each channel, in each layer.
void check_state(MetadataReader& in, std::string_view key, std::size_t places, std::size_t channels,
                 std::size_t layers);

/// Config::recurrent, of Mamba.
void read_mamba(MetadataReader& in, Config& config);

/// ssm_in, ssm_conv1d, ssm_x, ssm_dt, ssm_a, ssm_d and ssm_out.
Mamba mamba_mixer(LayerReader& in, const Config& config);

/// Config::recurrent, of Mamba-2.
void read_mamba2(MetadataReader& in, Config& config);

/// ssm_in, ssm_conv1d, ssm_dt.bias, ssm_a, ssm_d, ssm_out, and ssm_norm if the file has it.
Mamba2 mamba2_mixer(LayerReader& in, const Config& config);

}  // namespace partita::internal
