// LoRA adapters: small changes of a model's weights that requests choose (docs/adapters.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "partita/export.hpp"
#include "partita/result.hpp"

namespace partita {

namespace internal {
class LoadedAdapter;
}  // namespace internal

class Model;

struct AdapterInfo {
  std::string path;
  std::string name;          // the last part of the path, without ".gguf"
  std::uint64_t digest = 0;  // a checksum of its changes, the same in every format
  std::size_t rank = 0;      // the largest
  std::size_t tensors = 0;   // of the model that it changes
  std::size_t bytes = 0;     // in memory
};

/// An open LoRA adapter of one model: y = W x becomes y = W x + scale * alpha / rank * B (A x). Immutable,
/// cheap to copy (reference-counted), usable from many threads at once.
class PARTITA_API Adapter {
 public:
  /// path: a GGUF file whose general.type is "adapter", or a directory of PEFT with adapter_config.json and
  /// adapter_model.safetensors. Errors: kNotFound, kIo, kBadFile (naming tensor, value and limit),
  /// kUnsupported (what the adapter has besides LoRA, or a part of the model that cannot be changed),
  /// kBadNumbers, kInvalidArgument for a model without weights, kOutOfMemory.
  static Result<Adapter> open(const std::string& path, const Model& model);

  AdapterInfo info() const;

  const std::shared_ptr<const internal::LoadedAdapter>& loaded() const noexcept { return loaded_; }

 private:
  explicit Adapter(std::shared_ptr<const internal::LoadedAdapter> loaded) : loaded_(std::move(loaded)) {}
  std::shared_ptr<const internal::LoadedAdapter> loaded_;
};

/// An adapter, and what its change is multiplied by.
struct AppliedAdapter {
  Adapter adapter;
  float scale = 1;  // finite; 0: it is not applied
};

}  // namespace partita
