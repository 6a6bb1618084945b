// A family of Hugging Face checkpoints: one file in api/convert/checkpoints/ that names the keys and tensors
// of the model file. Internal to api/.
#pragma once

#include <string>
#include <string_view>

#include "api/convert/convert_config.h"
#include "api/convert/json_fields.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

struct CheckpointFamily {
  std::string_view model_type;    // of config.json
  std::string_view class_name;    // the one of `architectures` that generates text
  std::string_view architecture;  // general.architecture of the model file

  /// Adds what the family has beyond the sizes, which are read already. None: nothing.
  void (*keys)(JsonFields& fields, CheckpointConfig& config) = nullptr;

  /// Copies the tensors of one layer.
  void (*layer)(LayerCopy& in);

  /// Rows of Q and K are stored in adjacent rotary pairs (RopePairs::kAdjacent in engine/models/).
  bool adjacent_pairs = false;

  std::string_view activation = "silu";  // hidden_act

  /// Added to the weights of RMS norms: 1 where the checkpoint stores w and the model multiplies by 1 + w.
  float norm_offset = 0;
};

/// The family of this model_type, or null. api/CMakeLists.txt lists them.
const CheckpointFamily* find_checkpoint_family(std::string_view model_type);

/// The model_types of all families, separated by ", ".
std::string checkpoint_family_names();

}  // namespace partita::internal
