#include "api/convert/checkpoints/state_space.h"

#include <limits>
#include <vector>

#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

/// What both have: the convolution, the state of a channel.
void read_scan(JsonFields& fields, CheckpointConfig& c, std::uint32_t most_places) {
  c.conv_width = fields.count(fields.first_of({"mamba_d_conv", "conv_kernel"}), 1, kMaxTaps);
  c.state_space.places =
      fields.count(fields.first_of({"mamba_d_state", "ssm_state_size", "state_size"}), 1, most_places);
}

/// hidden_size, expanded.
std::uint32_t expanded_width(JsonFields& fields, const CheckpointConfig& c) {
  const char* key = fields.first_of({"mamba_expand", "expand"});
  return c.hidden * fields.count(key, 1, kMaxWidth / c.hidden, 2);
}

void add_scan(CheckpointConfig& c, std::uint32_t step_rank) {
  c.keys.add("ssm.conv_kernel", c.conv_width);
  c.keys.add("ssm.inner_size", c.state_space.width);
  c.keys.add("ssm.state_size", c.state_space.places);
  c.keys.add("ssm.time_step_rank", step_rank);
}

/// Heads and groups that divide the width.
void check_heads(JsonFields& fields, CheckpointConfig& c) {
  auto& s = c.state_space;
  if (s.width % s.heads == 0 && s.heads % s.groups == 0) return;
  fields.fail(ErrorCode::kBadFile, fields.first_of({"mamba_n_groups", "n_groups"}),
              sentence("must divide the ", s.heads, " heads of Mamba-2, which must divide its ", s.width,
                       " channels"));
  s.groups = s.heads = 1;
}

/// The engine does not clamp steps.
void check_steps(JsonFields& fields) {
  const std::vector<double> none = {0, std::numeric_limits<double>::infinity()};
  const auto limits = fields.bounds("time_step_limit", 2);
  if (!limits.empty() && limits != none)
    fields.fail(ErrorCode::kUnsupported, "time_step_limit", "only 0 to infinity can be converted");
}

}  // namespace

void read_mamba(JsonFields& fields, CheckpointConfig& c) {
  read_scan(fields, c, kMaxMambaPlaces);
  const char* rank = fields.first_of({"mamba_dt_rank", "time_step_rank"});
  // Falcon Mamba's intermediate_size is the width, whatever `expand` is.
  const bool named = c.family->only_recurrent && fields.has("intermediate_size");
  c.state_space.width = named ? fields.count("intermediate_size", 1, kMaxWidth) : expanded_width(fields, c);
  c.state_space.rank = fields.is(rank, "auto") ? (c.hidden + 15) / 16 : fields.count(rank, 1, kMaxWidth);
  add_scan(c, c.state_space.rank);
}

void read_mamba2(JsonFields& fields, CheckpointConfig& c) {
  auto& s = c.state_space;
  read_scan(fields, c, kMaxMamba2Places);
  s.heads = fields.count(fields.first_of({"mamba_n_heads", "mamba_num_heads", "num_heads"}), 1, kMaxHeads);
  s.groups = fields.count(fields.first_of({"mamba_n_groups", "n_groups"}), 1, kMaxHeads);
  if (fields.has("mamba_head_dim")) {
    s.width = s.heads * fields.count("mamba_head_dim", 1, kMaxWidth / s.heads);
  } else if (fields.has("mamba_d_ssm")) {
    s.width = fields.count("mamba_d_ssm", 1, kMaxWidth);
  } else {
    s.width = expanded_width(fields, c);
  }
  check_heads(fields, c);
  check_steps(fields);
  add_scan(c, s.heads);
  c.keys.add("ssm.group_count", s.groups);
}

void read_attention_layers(CheckpointConfig& c, const std::function<bool(std::size_t)>& attends) {
  for (std::size_t i = 0; i < c.layers; ++i) c.kv_heads_of_layers.push_back(attends(i) ? c.kv_heads : 0);
}

void copy_mamba(LayerCopy& in, std::string_view before) {
  const std::size_t hidden = in.config().hidden;
  const auto& s = in.config().state_space;
  const auto name = [&](std::string_view part) { return sentence(before, part); };
  in.linear(name("in_proj"), "ssm_in", 2 * s.width, hidden);
  in.convolution(name("conv1d"), "ssm_conv1d", s.width, in.config().conv_width);
  in.linear(name("x_proj"), "ssm_x", s.rank + 2 * s.places, s.width);
  in.linear(name("dt_proj"), "ssm_dt", s.width, s.rank);
  in.reshaped(name("A_log"), "ssm_a", {s.width, s.places}, {s.width, s.places}, true);
  in.vector(name("D"), "ssm_d", s.width);
  in.linear(name("out_proj"), "ssm_out", hidden, s.width);
}

void copy_mamba2(LayerCopy& in, std::string_view before) {
  const CheckpointConfig& c = in.config();
  const auto& s = c.state_space;
  in.linear(sentence(before, "in_proj"), "ssm_in", s.width + s.filtered() + s.heads, c.hidden);
  copy_mamba2_scan(in, before);
  in.linear(sentence(before, "out_proj"), "ssm_out", c.hidden, s.width);
}

void copy_mamba2_scan(LayerCopy& in, std::string_view before) {
  const auto& s = in.config().state_space;
  const auto name = [&](std::string_view part) { return sentence(before, part); };
  in.convolution(name("conv1d"), "ssm_conv1d", s.filtered(), in.config().conv_width);
  in.vector(name("dt_bias"), "ssm_dt.bias", s.heads);
  in.reshaped(name("A_log"), "ssm_a", {s.heads}, {s.heads, 1}, true);
  in.reshaped(name("D"), "ssm_d", {s.heads}, {s.heads, 1});
  const std::string norm = name("norm.weight");
  if (in.has_tensor(norm)) in.reshaped(norm, "ssm_norm.weight", {s.width}, {s.groups, s.width / s.groups});
}

void copy_mamba_layer(LayerCopy& in) {
  in.norm("norm", "attn_norm", in.config().hidden);
  copy_mamba(in, "mixer.");
}

}  // namespace partita::internal
