// Which tensors of a checkpoint become which tensors of a model file. Internal to api/.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/convert/tensor_part.h"
#include "engine/config.h"
#include "partita/result.hpp"

namespace partita::internal {

/// A tensor of a model file, and the parts that follow one another in it.
struct WrittenTensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::vector<TensorPart> parts;
};

struct TensorMap {
  std::vector<WrittenTensor> tensors;
  std::string head;                   // the checkpoint's output matrix; empty: it has one of several parts
  bool tied = false;                  // which is the embedding, and not in `tensors`
  std::shared_ptr<const void> owner;  // of what the parts refer to
};

/// Of a directory with config.json and safetensors. Errors: those of open_checkpoint().
Result<TensorMap> map_checkpoint(const std::string& directory);

/// Of the checkpoint that a model file was made of, as far as the sizes in it tell, which is enough for most
/// families. `known`: tensors that the checkpoint has, which decide where a family has variants. Errors:
/// kUnsupported where they do not tell.
Result<TensorMap> map_model(const Config& config, const std::set<std::string, std::less<>>& known);

}  // namespace partita::internal
