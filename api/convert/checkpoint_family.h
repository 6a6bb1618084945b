// A family of Hugging Face checkpoints: one file in api/convert/checkpoints/ that names the keys and tensors
// of the model file. Internal to api/.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "api/convert/checkpoint_config.h"
#include "api/convert/json_fields.h"

namespace partita::internal {

class LayerCopy;

/// Where the parts of a checkpoint are, without ".weight".
struct CheckpointNames {
  std::string_view layers = "model.layers.";  // before the index
  std::string_view embedding = "model.embed_tokens";
  std::string_view norm = "model.norm";  // the last; with a bias if the checkpoint has one
  std::string_view head = "lm_head";
};

struct CheckpointFamily {
  std::string_view model_type;    // of config.json
  std::string_view class_name;    // the one of `architectures` that generates text
  std::string_view architecture;  // general.architecture of the model file; `keys` may choose another

  CheckpointNames names = {};
  std::string_view other_class_name = {};  // of the same, in checkpoints that transformers did not write

  /// Changes the sizes, which are read already, where the family says them otherwise, and adds the keys of
  /// all that it has beyond them. None: nothing.
  void (*keys)(JsonFields& fields, CheckpointConfig& config) = nullptr;

  /// Copies the tensors of one layer.
  void (*layer)(LayerCopy& in);

  /// Copies tensors outside layers, beyond embedding, last norm and head. `in` has the names of the
  /// checkpoint and the model file themselves. None: there are none.
  void (*globals)(LayerCopy& in) = nullptr;

  bool only_recurrent = false;  // layers have no attention and no FFN, and config.json no sizes of them
  bool layer_norm = false;      // LayerNorm instead of RMS norm
  std::uint32_t usual_ffn =
      0;              // the FFN's width without a key for it, in hidden sizes; 0: the key is required
  bool tied = false;  // without tie_word_embeddings in config.json

  /// Numbers that config.json leaves out where they are those of transformers.
  std::span<const std::pair<const char*, std::uint32_t>> usual = {};

  std::string_view ignored = {};   // what the names of tensors begin with that no model file has
  double rotary_part = 1;          // of a head, without partial_rotary_factor in config.json
  bool yarn_scales = false;        // `keys` reads YaRN's mscale and mscale_all_dim
  bool yarn_truncates = true;      // readers of model files round where YaRN begins and ends
  bool proportional_rope = false;  // `keys` reads what RoPE of this type rotates
  bool rope_alpha = false;         // dynamic scaling may have an alpha, which raises the base

  /// Rows of Q and K are stored in adjacent rotary pairs (RopePairs::kAdjacent in engine/models/).
  bool adjacent_pairs = false;

  std::string_view activation = "silu";    // hidden_act
  std::string_view other_activation = {};  // the same, as older checkpoints say it

  /// Added to the weights of norms: 1 where the checkpoint stores w and the model multiplies by 1 + w.
  float norm_offset = 0;
};

/// The family of this model_type, or null. api/CMakeLists.txt lists them.
const CheckpointFamily* find_checkpoint_family(std::string_view model_type);

/// The first family whose model files have this general.architecture, or null.
const CheckpointFamily* find_family_of_architecture(std::string_view architecture);

/// The model_types of all families, separated by ", ".
std::string checkpoint_family_names();

}  // namespace partita::internal
