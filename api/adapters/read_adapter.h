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

}  // namespace partita::internal
