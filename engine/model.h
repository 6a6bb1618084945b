// The weights of an open model, packed in panels, and its Config. Immutable, shared by any number of threads
// and sequences. (Named Transformer because partita::Model is the public interface.)
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cache/state_shape.h"
#include "engine/config.h"
#include "engine/embedding.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/panels.h"
#include "engine/kernels/self_test.h"
#include "engine/layers/layer.h"
#include "engine/output.h"
#include "engine/residual_versions.h"
#include "engine/token_inputs.h"
#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

class AdapterSet;

struct LoadOptions {
  int threads = 1;
  bool exact = false;                     // exact_kernels() instead of the best kernels of the processor
  std::optional<Isa> isa = std::nullopt;  // forced, instead of choose_isa(); ignored if exact
  KvType cache = KvType::kF16;            // type of the KV cache; kF32 if exact
  std::uint32_t attention_window = 0;     // > 0: passed to limit_attention()
  std::uint32_t attention_sinks = 0;      // passed to limit_attention()
  /// Checks every tensor and its shape, and reads no matrix: the model is not to be run.
  bool shapes_only = false;
  /// Called from the loading thread with the fraction done; returning false stops with kCancelled.
  std::function<bool(float)> progress = nullptr;
  KernelSource kernels = {};  // for tests
};

class Transformer {
 public:
  /// Loads and packs every weight; releases the file pages of each tensor after it is packed.
  /// Errors: those of read_config, choose_isa and test_kernels, a missing tensor, a wrong shape (expected and
  /// found), a tensor that the family does not use, kOutOfMemory, kCancelled.
  static Result<std::shared_ptr<const Transformer>> load(const Gguf& file, const LoadOptions& options);

  const Config& config() const { return config_; }
  const Kernels& kernels() const { return *kernels_; }
  bool exact() const { return exact_; }
  Isa isa() const { return isa_; }  // kScalar if exact
  /// Kernel tables that failed their self-test and are not used (TestedKernels); empty: none.
  const std::string& refused_kernels() const { return refused_kernels_; }
  KvType kv_type() const { return kv_type_; }  // kF32 if exact
  const std::vector<Layer>& layers() const { return layers_; }
  /// Config::logit_scale is part of its weights.
  const Norm& final_norm() const { return final_norm_; }

  /// What the mixers keep of a sequence (Attention::state and others are indices into it).
  const std::vector<StateShape>& states() const { return states_; }

  /// From this layer on, no layer keeps anything of a sequence: of each step, the rows of outputs suffice.
  std::size_t first_output_layer() const { return first_output_layer_; }

  const TokenInputs& token_inputs() const { return token_inputs_; }
  const ResidualVersions& versions() const { return versions_; }

  const Embedding& embedding() const { return embedding_; }
  /// How many linear layers have a Linear::index.
  std::size_t linears() const { return linears_; }

  /// The output weights (LM head).
  const OutputWeights& output() const { return output_; }

  /// out: [hidden], the embedding of the token, scaled by Config::embedding_scale and normed if the model has
  /// a norm of it, and that of its position if positions are learned; spare: [hidden], scratch. adapters: of
  /// the sequence, or null. Precondition: token < vocab_size, position < context_length.
  void embed(std::uint32_t token, std::size_t position, const AdapterSet* adapters, float* out,
             float* spare) const;

  /// Bytes of weights read to generate one token: all layers, the whole output, one row of the embedding.
  std::size_t bytes_per_token() const;

 private:
  friend class TransformerLoader;
  Transformer() = default;
  Config config_;
  const Kernels* kernels_ = nullptr;
  Isa isa_ = Isa::kScalar;
  std::string refused_kernels_;
  bool exact_ = false;
  KvType kv_type_ = KvType::kF16;
  PanelArena arena_;
  std::vector<Layer> layers_;
  std::vector<StateShape> states_;
  std::size_t first_output_layer_ = 0;
  TokenInputs token_inputs_;
  ResidualVersions versions_;
  Embedding embedding_;
  std::size_t linears_ = 0;
  OutputWeights output_;
  Norm embedding_norm_, final_norm_;  // the first may be empty
  PackedMatrix positions_;            // [context][hidden], learned; empty: none
};

}  // namespace partita::internal
