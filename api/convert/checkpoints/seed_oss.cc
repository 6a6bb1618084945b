// Seed-OSS.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::seed_oss {
namespace {

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.norm("post_attention_layernorm", "post_attention_norm", in.config().hidden);
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {
    .model_type = "seed_oss", .class_name = "SeedOssForCausalLM", .architecture = "seed_oss", .layer = layer};

}  // namespace partita::internal::checkpoints::seed_oss
