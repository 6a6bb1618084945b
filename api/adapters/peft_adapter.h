// Reads LoRA adapters as PEFT saves them: a directory with adapter_config.json and adapter_model.safetensors.
// Internal to api/.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "api/adapters/pair_maker.h"
#include "api/convert/tensor_map.h"
#include "engine/adapter_loader.h"
#include "partita/result.hpp"
#include "weights/safetensors/safetensors.h"

namespace partita::internal {

/// Reads the text of an adapter_config.json; `name` is for messages. Errors: kBadFile naming key, value and
/// limit; kUnsupported naming what the adapter has besides LoRA.
Result<PeftConfig> parse_peft_config(std::string_view text, const std::string& name);

/// The file "adapter_config.json" of a directory exists.
bool is_peft_directory(const std::string& path);

/// An open adapter, in the names of checkpoints.
class PeftAdapter {
 public:
  /// Errors: those of parse_peft_config(); of SafeTensors::open(); kUnsupported for a tensor that is no
  /// matrix of LoRA; kBadFile for one without its partner, of another shape, or of a rank above the limit.
  static Result<PeftAdapter> open(const std::string& directory);
  /// The same of what is in memory.
  static Result<PeftAdapter> make(PeftConfig config, std::shared_ptr<const SafeTensors> tensors,
                                  std::string name);

  /// The tensors of a checkpoint that it changes.
  std::set<std::string, std::less<>> tensors() const;

  /// Its changes, in the names of model files. Errors: kUnsupported naming a module that the model lacks;
  /// kBadFile for a shape that differs; kIo.
  Result<AdapterTensors> pairs(const TensorMap& map) const;

 private:
  PeftConfig config_;
  std::shared_ptr<const SafeTensors> file_;
  std::string name_;
  PeftModules modules_;
};

}  // namespace partita::internal
