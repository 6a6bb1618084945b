// Mamba (Gu and Dao 2023) and Falcon Mamba (TII 2024): layers without attention and without FFN.
#include "engine/layers/mamba.h"

#include <algorithm>
#include <string>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/state_space.h"

namespace partita::internal {
namespace {

/// [width][places] in tiles of channels: [tiles][places][kScanChannels].
Vector in_tiles(const Vector& in_file, const Mamba& m) {
  Vector tiles(m.tiles() * m.tile_size());
  for (std::size_t i = 0; i < m.width && !in_file.empty(); ++i) {
    float* tile = tiles.data() + i / kScanChannels * m.tile_size();
    for (std::size_t k = 0; k < m.places; ++k)
      tile[k * kScanChannels + i % kScanChannels] = in_file[i * m.places + k];
  }
  return tiles;
}

}  // namespace

void read_mamba(MetadataReader& in, Config& config) {
  static_assert(kMaxMambaPlaces <= Mamba::kMaxPlaces);
  RecurrentSizes& sizes = config.recurrent;
  sizes.taps = in.count("ssm.conv_kernel", 1, kMaxTaps);
  sizes.width = in.count("ssm.inner_size", 1, kMaxWidth);
  sizes.places = in.count("ssm.state_size", 1, kMaxMambaPlaces);
  sizes.rank = in.count("ssm.time_step_rank", 1, kMaxWidth);
  sizes.plain_norms = in.flag("ssm.dt_b_c_rms", false);
  check_state(in, "ssm.state_size", sizes.places, sizes.width, config.layers);
}

Mamba mamba_mixer(LayerReader& in, const Config& c) {
  const RecurrentSizes& sizes = c.recurrent;
  Mamba m;
  m.width = sizes.width;
  m.places = sizes.places;
  m.rank = sizes.rank;
  in.linears({{"ssm_in", &m.in, 2 * std::size_t{m.width}, c.hidden_size}});
  m.conv = in.conv("ssm_conv1d", sizes.taps, m.width);
  in.linears({{"ssm_x", &m.parameters, m.rank + 2 * std::size_t{m.places}, m.width}});
  in.linears({{"ssm_dt", &m.steps, m.width, m.rank}});
  m.a = in_tiles(in.values("ssm_a", {m.width, m.places}), m);
  m.skip = in.values("ssm_d", {m.width});
  in.linears({{"ssm_out", &m.out, c.hidden_size, m.width}});
  if (sizes.plain_norms) {  // Falcon Mamba, whose files do not give the epsilon
    m.norm_eps = 1e-6F;
    m.dt_norm.assign(m.rank, 1.0F);
    m.b_norm.assign(m.places, 1.0F);
    m.c_norm.assign(m.places, 1.0F);
  }
  return m;
}

namespace models::mamba {
namespace {

void read(MetadataReader& in, Config& config) {
  config.layer_kinds.assign(config.layers, LayerKind{0, kNoRope});
  read_mamba(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.mixer = mamba_mixer(in, c);
  return layer;
}

}  // namespace

extern const Family family = {.name = "mamba", .partial_layers = true, .read = read, .layer = layer};

}  // namespace models::mamba
}  // namespace partita::internal
