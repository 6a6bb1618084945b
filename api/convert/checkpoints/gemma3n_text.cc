// Gemma 3n, text: AltUp, LAuReL, embeddings per layer, sparse FFNs, layers that share keys and values.
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/gemma.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::gemma3n_text {
namespace {

/// How many deviations above its mean a number with a normal distribution is with a probability of 1 - part.
float quantile(double part) {
  constexpr double kMost = 40;
  constexpr int kHalvings = 100;
  if (part <= 0) return -std::numeric_limits<float>::infinity();
  double low = -kMost, high = kMost;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < part ? low : high) = middle;
  }
  return static_cast<float>(low);
}

/// Which part of the gates of each layer is 0: 95 % in the first layers of large models, without a key.
void read_sparsity(JsonFields& fields, CheckpointConfig& c) {
  constexpr const char* kKey = "activation_sparsity_pattern";
  constexpr std::size_t kSparse = 10;
  constexpr double kUsual = 0.95, kMostPart = 0.9999;
  constexpr double kPlaces = 1e6;  // the decimals of config.json, which are read as floats
  std::vector<float> quantiles;
  if (fields.has(kKey)) {
    for (const float part : fields.numbers(kKey, c.layers, 0, kMostPart))
      quantiles.push_back(quantile(std::round(static_cast<double>(part) * kPlaces) / kPlaces));
  } else {
    for (std::size_t i = 0; i < c.layers; ++i)
      quantiles.push_back(quantile(c.layers > kSparse && i < kSparse ? kUsual : 0));
  }
  c.keys.add("activation_sparsity_scale", quantiles);
}

void keys(JsonFields& fields, CheckpointConfig& c) {
  read_windows(fields, c, {.window = 512, .period = 5});
  c.keys.add("rope.freq_base_swa", static_cast<float>(c.local_rope_base));
  read_token_inputs(fields, c);
  read_sparsity(fields, c);
  c.versions = fields.count("altup_num_inputs", 2, kMaxVersions, 4);
  c.keys.add("altup.num_inputs", c.versions);
  c.keys.add("altup.active_idx", fields.count("altup_active_idx", 0, c.versions - 1, 0));
  c.low_rank = fields.count("laurel_rank", 1, kMaxWidth, 64);
  if (!fields.flag("altup_correct_scale", true))
    fields.fail(ErrorCode::kUnsupported, "altup_correct_scale", "only true can be converted");
}

void copy_altup(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  const std::size_t versions = c.versions;
  in.norm("altup.router_norm", "altup_router_norm", c.hidden);
  in.linear("altup.modality_router", "altup_router", versions, c.hidden);
  in.small("altup.prediction_coefs", "altup_predict_coef", versions * versions, versions);
  in.small("altup.correction_coefs", "altup_correct_coef", versions, versions);
  in.vector("altup.correct_output_scale", "altup_correct_scale.weight", c.hidden);
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  copy_gemma_norms(in);
  copy_shared_attention(in);
  in.ffn();
  copy_token_input(in);
  copy_altup(in);
  in.linear("laurel.linear_left", "laurel_l", c.low_rank, c.hidden);
  in.linear("laurel.linear_right", "laurel_r", c.hidden, c.low_rank);
  in.norm("laurel.post_laurel_norm", "laurel_post_norm", c.hidden);
}

void globals(LayerCopy& whole) {
  const CheckpointConfig& c = whole.config();
  copy_token_inputs(whole);
  const std::size_t others = c.versions - 1;
  whole.stack("model.altup_projections.", "", "altup_proj", others, c.hidden, c.hidden);
  whole.stack("model.altup_unembed_projections.", "", "altup_unembd_proj", others, c.hidden, c.hidden);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "gemma3n_text",
                                        .class_name = "Gemma3nForCausalLM",
                                        .architecture = "gemma3n",
                                        .keys = keys,
                                        .layer = layer,
                                        .globals = globals,
                                        .tied = true,
                                        .activation = "gelu_pytorch_tanh"};

}  // namespace partita::internal::checkpoints::gemma3n_text
