// Mamba-2 (Dao and Gu 2024): layers without attention and without FFN.
#include <string>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/state_space.h"

namespace partita::internal {

void check_state(MetadataReader& in, std::string_view key, std::size_t places, std::size_t channels,
                 std::size_t layers) {
  const auto refuse = [&](std::size_t count, std::size_t limit) {
    in.fail(ErrorCode::kUnsupported, key,
            "is " + std::to_string(places) + " for each of " + std::to_string(channels) +
                " channels, and the limit for the state of " + std::to_string(count) + " layers is " +
                std::to_string(limit) + " numbers");
  };
  if (places * channels > kMaxLayerState) return refuse(1, kMaxLayerState);
  if (places * channels * layers > kMaxState) refuse(layers, kMaxState);
}

void read_mamba2(MetadataReader& in, Config& config) {
  RecurrentSizes& sizes = config.recurrent;
  sizes.taps = in.count("ssm.conv_kernel", 1, kMaxTaps);
  sizes.width = in.count("ssm.inner_size", 1, kMaxWidth);
  sizes.places = in.count("ssm.state_size", 1, kMaxMamba2Places);
  sizes.heads = in.count("ssm.time_step_rank", 1, kMaxHeads);
  sizes.groups = in.count("ssm.group_count", 1, kMaxHeads);
  const auto must_divide = [&](std::string_view name, std::uint32_t part, std::string_view of_name,
                               std::uint32_t whole) {
    if (whole % part == 0) return;
    in.fail(ErrorCode::kBadFile, name,
            "is " + std::to_string(part) + ", and must divide the " + std::to_string(whole) + " of " +
                std::string(of_name));
  };
  must_divide("ssm.time_step_rank", sizes.heads, "ssm.inner_size", sizes.width);
  must_divide("ssm.group_count", sizes.groups, "ssm.time_step_rank", sizes.heads);
  check_state(in, "ssm.state_size", sizes.places, sizes.width, config.layers);
}

Mamba2 mamba2_mixer(LayerReader& in, const Config& c) {
  const RecurrentSizes& sizes = c.recurrent;
  const std::uint32_t filtered = sizes.width + 2 * sizes.groups * sizes.places;
  Mamba2 m;
  m.heads = sizes.heads;
  m.head_dim = sizes.width / sizes.heads;
  m.groups = sizes.groups;
  m.places = sizes.places;
  in.linears({{"ssm_in", &m.in, std::size_t{sizes.width} + filtered + sizes.heads, c.hidden_size}});
  m.conv = in.conv("ssm_conv1d", sizes.taps, filtered);
  m.step_bias = in.values("ssm_dt.bias", {sizes.heads});
  m.a = in.values("ssm_a", {sizes.heads, 1});
  m.skip = in.values("ssm_d", {sizes.heads, 1});
  if (in.has("ssm_norm")) m.norm = in.values("ssm_norm.weight", {sizes.groups, sizes.width / sizes.groups});
  m.norm_eps = c.norm_eps;
  in.linears({{"ssm_out", &m.out, c.hidden_size, sizes.width}});
  return m;
}

namespace models::mamba2 {
namespace {

void read(MetadataReader& in, Config& config) {
  config.layer_kinds.assign(config.layers, LayerKind{0, kNoRope});
  read_mamba2(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.mixer = mamba2_mixer(in, c);
  return layer;
}

}  // namespace

extern const Family family = {.name = "mamba2", .partial_layers = true, .read = read, .layer = layer};

}  // namespace models::mamba2
}  // namespace partita::internal
