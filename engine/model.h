// The weights of an open model in panels, and its Config. Immutable, shared by any number of threads and
// sequences. (Named Transformer because partita::Model is the public interface's.)
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.h"
#include "engine/embedding.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/panels.h"
#include "engine/kernels/self_test.h"
#include "engine/output.h"
#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita {

/// A layer exists as its weights do: an empty Vector or a matrix with rows == 0 is a piece the family lacks.
struct Layer {
  LayerKind kind;
  Vector attention_norm;       // [hidden]
  PackedMatrix q, k, v;        // [heads * head_dim][hidden], [kv_heads * head_dim][hidden] twice
  Vector q_norm, k_norm;       // [head_dim], per-head RMS norm before RoPE
  PackedMatrix attention_out;  // [hidden][heads * head_dim]
  Vector attention_post_norm;  // [hidden], before the residual is added
  Vector ffn_norm;             // [hidden]
  PackedMatrix gate, up;       // [ffn][hidden]
  PackedMatrix down;           // [hidden][ffn]
  Vector ffn_post_norm;        // [hidden]
};

struct LoadOptions {
  int threads = 1;
  bool exact = false;                     // exact_kernels() instead of the processor's best
  std::optional<Isa> isa = std::nullopt;  // forced, instead of choose_isa(); not looked at when exact
  KvType cache = KvType::kF16;            // what keys and values are kept as; kF32 when exact
  std::uint32_t attention_window = 0;     // > 0: limit_attention() to this window
  std::uint32_t attention_sinks = 0;      // and these sinks
  /// Called from the loading thread with the fraction done; returning false stops with kCancelled.
  std::function<bool(float)> progress = nullptr;
  KernelSource kernels = {};  // for tests
};

class Transformer {
 public:
  /// Packs every weight, releasing each tensor's pages of the file as soon as it is packed.
  /// Errors: those of read_config, choose_isa and test_kernels, a missing tensor, a shape (expected and
  /// found), a tensor that is no piece of the family, kOutOfMemory, kCancelled.
  static Result<std::shared_ptr<const Transformer>> load(const Gguf& file, const LoadOptions& options);

  const Config& config() const { return config_; }
  const Kernels& kernels() const { return *kernels_; }
  bool exact() const { return exact_; }
  Isa isa() const { return isa_; }  // kScalar when exact
  /// Tables that would have been taken, but failed their test (TestedKernels); empty: none.
  const std::string& refused_kernels() const { return refused_kernels_; }
  KvType kv_type() const { return kv_type_; }  // kF32 when exact
  const std::vector<Layer>& layers() const { return layers_; }
  const Vector& final_norm() const { return final_norm_; }

  /// What stands between the last hidden state and the words.
  const OutputWeights& output() const { return output_; }

  /// out: [hidden], scaled by Config::embedding_scale; spare: [hidden], to work in. Precondition: token <
  /// vocab_size.
  void embed(std::uint32_t token, float* out, float* spare) const;

  /// Bytes of weights read to generate one token: all layers, all of the output, one row of the embedding.
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
  Embedding embedding_;
  OutputWeights output_;
  Vector final_norm_;
};

}  // namespace partita
