// Adapters merged into the tensors of a model file while it is written. Internal to api/.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/adapter_loader.h"
#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/gguf/writer.h"

namespace partita::internal {

/// What adapters add to each tensor.
class Merges {
 public:
  /// Adds an adapter, times `scale`. shapes: of the tensors of the model file, by name. Errors: those of
  /// check_pair(); kUnsupported for a tensor that the file lacks, or an embedding that is the output too;
  /// kBadFile for a shape that differs.
  Result<void> add(AdapterTensors tensors, float scale,
                   const std::map<std::string, std::vector<std::uint64_t>>& shapes);

  bool changes(const std::string& tensor) const { return changes_.contains(tensor); }

  /// Adds the changes to whole rows of a tensor, [rows][cols], the first of which is row `first` of all its
  /// slices.
  void apply(const std::string& tensor, std::size_t first, std::size_t rows, std::size_t cols,
             float* values) const;

 private:
  struct Change {
    AdapterPair pair;
    float scale;  // of B A
  };
  std::map<std::string, std::vector<Change>> changes_;
};

/// The tensor `name` of type `type` with `cols` columns: `plain`, or, if it is changed when it is read, the
/// sum of `in_f32`, the same tensor in F32, and its changes. Error: kBadNumbers for a value that the type
/// cannot hold.
TensorSource merged_source(std::shared_ptr<const Merges> merges, std::string name, Dtype type,
                           std::size_t cols, TensorSource plain, TensorSource in_f32);

}  // namespace partita::internal
