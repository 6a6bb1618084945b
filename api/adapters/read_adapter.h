// Reads the file of an adapter, in either form, in the names of a model file. Internal to api/.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "api/convert/tensor_map.h"
#include "engine/adapter_loader.h"
#include "partita/result.hpp"

namespace partita::internal {

/// The map of a model's checkpoint, given the tensors that an adapter changes.
using MapMaker = std::function<Result<TensorMap>(const std::set<std::string, std::less<>>&)>;

/// path: of a GGUF file, or a directory of PEFT. family: general.architecture of the model. Errors: those of
/// Adapter::open() (partita/adapter.hpp) that need no model.
Result<AdapterTensors> read_adapter(const std::string& path, std::string_view family, const MapMaker& map);

/// Whether an adapter can be applied with this scale. Error: kInvalidArgument outside -1000 to 1000, where
/// the changes drown the model or make it overflow.
Result<void> check_scale(const std::string& path, float scale);

}  // namespace partita::internal
