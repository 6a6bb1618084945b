// Turns the matrices of a PEFT adapter into those that change a model file's tensors. Internal to api/.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/convert/tensor_map.h"
#include "engine/adapter_loader.h"
#include "partita/result.hpp"
#include "weights/safetensors/safetensors.h"

namespace partita::internal {

/// What adapter_config.json says.
struct PeftConfig {
  double alpha = 0;
  bool rank_stabilized = false;  // alpha / sqrt(rank), not alpha / rank
  bool transposed = false;       // fan_in_fan_out: of matrices [inputs][outputs]
  /// Of modules whose names end so; the first that fits.
  std::vector<std::pair<std::string, double>> alphas = {};

  /// Of B A of a module, by its name in the checkpoint.
  float scale_of(std::string_view module, std::size_t rank) const;
};

/// The two matrices of a module: A [rank][inputs], B [outputs][rank]; of an embedding [rank][words],
/// [hidden][rank].
struct PeftModule {
  const SafeTensor *a = nullptr, *b = nullptr;
  bool embedding = false;
  std::size_t rank() const { return static_cast<std::size_t>(a->shape[0]); }
};
using PeftModules = std::map<std::string, PeftModule, std::less<>>;  // by the checkpoint's tensor

class PairMaker {
 public:
  /// All must outlive it. name: of the adapter, for messages.
  PairMaker(const SafeTensors& file, const PeftConfig& config, const PeftModules& modules, std::string name)
      : file_(file), config_(config), modules_(modules), name_(std::move(name)) {}

  /// The change of a model file's tensor; nothing: the adapter leaves it as it is. Errors: kBadFile for a
  /// shape that differs, kUnsupported for a tensor that no adapter can change, kIo.
  Result<std::optional<AdapterPair>> make(const WrittenTensor& tensor);

  /// Error: kUnsupported naming a module that no tensor used.
  Result<void> check_leftovers() const;

 private:
  /// Rows of a tensor that one module changes.
  struct Rows {
    const TensorPart* part;
    const PeftModule* module;  // null: none does
    std::string_view name;
    std::size_t slice, first;  // in the slice
    std::size_t column = 0;    // the first of B that it takes in its slice
  };
  struct Layout {
    std::size_t slices = 1, rows = 0, cols = 0, rank = 0;
    bool scaled = false;  // B is multiplied by the scales, which differ
    std::vector<Rows> rows_of_parts;
  };

  const PeftModule* module_of(const TensorPart& part, bool embedding) const;
  Result<std::optional<Layout>> lay_out(const WrittenTensor& tensor);
  Result<void> check(const WrittenTensor& tensor, const Rows& rows) const;
  Result<void> fill(const Layout& layout, const Rows& rows, AdapterPair& pair) const;
  Result<std::optional<AdapterPair>> make_embedding(const WrittenTensor& tensor);
  Result<Vector> values_of(const SafeTensor& tensor) const;
  float scale_of(const Rows& rows) const;

  const SafeTensors& file_;
  const PeftConfig& config_;
  const PeftModules& modules_;
  const std::string name_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace partita::internal
