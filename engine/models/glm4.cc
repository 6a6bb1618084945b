// GLM 4 of 2025 (0414): ChatGLM with norms after attention and FFN too.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::glm4 {
namespace {

void read(MetadataReader& in, Config& config) {
  read_uniform_layers(in, config);
  if (in.has("rope.dimension_sections")) {
    in.fail(ErrorCode::kUnsupported, "rope.dimension_sections",
            "is there, and the RoPE of vision models cannot be used");
  }
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kAdjacent);
  layer.post = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn_post = in.rms("post_ffw_norm", c.hidden_size);
  return layer;
}

}  // namespace

extern const Family family = {.name = "glm4", .read = read, .layer = layer};

}  // namespace partita::internal::models::glm4
