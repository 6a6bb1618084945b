// A model family: one file in engine/models/ that reads its metadata and builds its layers.
#pragma once

#include <cstddef>
#include <string_view>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

struct Family {
  std::string_view name;  // general.architecture

  /// The kind of its norms, which says what key holds their epsilon.
  NormKind norm = NormKind::kRms;

  /// Layers may lack attention or an FFN: files give them 0 heads or an FFN of 0.
  bool partial_layers = false;

  /// Values may have another width than keys (attention.value_length).
  bool own_value_width = false;

  /// Fills what the family decides: Config::layer_kinds and Config::rope, and where they differ from Llama's
  /// the activation and the scales. The sizes are filled in already.
  void (*read)(MetadataReader& in, Config& config);

  /// Builds one layer from its tensors.
  Layer (*layer)(LayerReader& in, const Config& config, std::size_t index);

  /// How experts are chosen and weighed as far as the file has no keys for it.
  Routing routing = {};
};

}  // namespace partita::internal
