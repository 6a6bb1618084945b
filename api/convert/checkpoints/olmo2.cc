// OLMo 2: norms after attention and FFN, and of whole projections.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/olmo.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

void copy_olmo2(LayerCopy& in) {
  in.attention();
  in.projection_norms();
  in.ffn();
  in.norm("post_attention_layernorm", "post_attention_norm", in.config().hidden);
  in.norm("post_feedforward_layernorm", "post_ffw_norm", in.config().hidden);
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::olmo2 {
namespace {

void layer(LayerCopy& in) { copy_olmo2(in); }

}  // namespace

extern const CheckpointFamily family = {
    .model_type = "olmo2", .class_name = "Olmo2ForCausalLM", .architecture = "olmo2", .layer = layer};

}  // namespace partita::internal::checkpoints::olmo2
