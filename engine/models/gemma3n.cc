// Gemma 3n, text (Google 2025): AltUp, LAuReL, embeddings per layer, sparse FFNs in the first layers, layers
// that share the keys and values of earlier ones.
#include <cmath>
#include <limits>
#include <numbers>
#include <variant>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/gemma4.h"
#include "engine/models/llama.h"

namespace partita::internal::models::gemma3n {
namespace {

constexpr double kMostDeviations = 1000;

void read(MetadataReader& in, Config& config) {
  constexpr std::uint32_t kOwnLayers = 20;  // with keys and values, in files that do not say
  read_gemma4_scales(config);
  config.logit_softcap = in.softcap("final_logit_softcapping", 30);  // the same
  config.rope = {in.global_rope(config.rope_dims),
                 make_rope(in.rope_base("rope.freq_base_swa"), config.rope_dims)};
  read_local_layers(in, 5, 1, 0, config);
  read_shared_layers(in, config, config.layers > kOwnLayers ? config.layers - kOwnLayers : 0);
  config.token_input_width = in.count("embedding_length_per_layer_input", 1, kMaxWidth / config.layers);
  config.versions = in.count("altup.num_inputs", 2, kMaxVersions);
  config.active_version = in.count("altup.active_idx", 0, config.versions - 1, 0);
  for (const double cutoff : in.numbers("activation_sparsity_scale", config.layers,
                                        -std::numeric_limits<double>::infinity(), kMostDeviations)) {
    config.ffn_cutoffs.push_back(static_cast<float>(cutoff));
  }
}

AltUp altup(LayerReader& in, const Config& c) {
  const std::uint64_t versions = c.versions;
  AltUp altup;
  altup.router_norm = in.rms("altup_router_norm", c.hidden_size);
  altup.router = in.values("altup_router.weight", {versions, c.hidden_size});
  for (float& weight : altup.router) weight /= static_cast<float>(c.hidden_size);
  altup.predict = in.values("altup_predict_coef.weight", {versions * versions, versions});
  altup.correct = in.values("altup_correct_coef.weight", {versions, versions});
  altup.correct_scale = in.values("altup_correct_scale.weight", {c.hidden_size});
  return altup;
}

/// Its rank is that of the file.
Laurel laurel(LayerReader& in, const Config& c) {
  Laurel laurel;
  const std::size_t rank = in.rows("laurel_l");
  in.linears({{"laurel_l", &laurel.left, rank, c.hidden_size}});
  in.linears({{"laurel_r", &laurel.right, c.hidden_size, rank}});
  laurel.post = in.rms("laurel_post_norm", c.hidden_size);
  return laurel;
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = gemma4_layer(in, c, index);
  auto* const ffn = std::get_if<Ffn>(&layer.ffn);
  if (ffn != nullptr && !c.ffn_cutoffs.empty()) ffn->cutoff = c.ffn_cutoffs[index];
  layer.altup = altup(in, c);
  layer.laurel = laurel(in, c);
  layer.mixed_scale = std::numbers::sqrt2_v<float> / 2;
  return layer;
}

}  // namespace

extern const Family family = {.name = "gemma3n", .read = read, .layer = layer};

}  // namespace partita::internal::models::gemma3n
