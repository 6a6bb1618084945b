// The text model in a checkpoint of a larger model, which sees or hears too. Internal to api/.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "weights/safetensors/safetensors.h"

namespace partita::internal {

/// Of a config.json with "text_config": its keys stand for those of the larger model.
/// Whether it has one.
bool take_text_config(nlohmann::json& config);

/// Where the tensors of the text model are: as they are, or, in a larger model, under "language_model."
/// before or behind the first part of their names.
class TextPart {
 public:
  TextPart(const SafeTensors& from, bool larger);

  /// The name in the checkpoint of a tensor of the text model, or what names begin with.
  std::string stored(std::string_view name) const;
  /// The part of a larger model, one that sees or hears, that a tensor belongs to: "vision_tower"; empty:
  /// none.
  std::string_view other_part(std::string_view stored) const;

 private:
  bool larger_;
  bool before_ = false, behind_ = false;
};

}  // namespace partita::internal
