// Whole models of a few thousand random weights, built in memory from a seed, as GGUF files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/kernels/isa.h"
#include "engine/model.h"
#include "weights/codecs/dtype.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"

namespace partita::internal::testing {

struct TinySpec {
  std::string family = "llama";
  Dtype dtype = Dtype::kF32;    // of the matrices; norms are F32
  std::vector<Dtype> mix = {};  // if any: the matrices of the layers have these types, cyclically, instead
  std::uint64_t seed = 1;
  std::uint32_t layers = 2;
  std::uint32_t hidden = 96;
  std::uint32_t ffn = 160;
  std::uint32_t heads = 3;
  std::uint32_t kv_heads = 1;
  std::uint32_t head_dim = 32;
  std::uint32_t vocab = 101;
  std::uint32_t context = 2048;
  std::uint32_t window = 0;         // of local layers (gemma3) or of all (llama)
  bool tied = true;                 // no output.weight
  bool bands = false;               // no token_embd.weight: it is added in bands (head_writer.h)
  bool rope_factors = false;        // a tensor rope_freqs.weight
  float linear_factor = 1;          // rope.scaling.factor
  std::uint32_t short_context = 0;  // LongRoPE's original context; 0: no LongRoPE
  float dynamic_factor = 0;         // with short_context: dynamic scaling instead of LongRoPE
  // Not part of the file, but options of loading (with_attention): LoadOptions has them.
  std::uint32_t attention_window = 0;
  std::uint32_t attention_sinks = 0;

  bool gemma() const { return family == "gemma3"; }
  bool qwen() const { return family.starts_with("qwen"); }
  bool has_qkv_bias() const { return family == "qwen2"; }
  bool has_qk_norm() const { return gemma() || family == "qwen3"; }
};

/// A small model of each family that `dtype` can hold (256 columns for types of 256-element blocks). The
/// gemma3 one has 7 layers, of which the sixth is global, and a window of 21 tokens.
TinySpec tiny_llama(Dtype dtype);
TinySpec tiny_gemma3(Dtype dtype);
std::vector<TinySpec> tiny_specs(Dtype dtype);

/// Qwen 2, with biases of Q, K and V, or Qwen 3, with norms of queries and keys.
TinySpec tiny_qwen(int generation, Dtype dtype);

/// Every type that a codec exists for.
const std::vector<Dtype>& all_dtypes();

/// "gemma3 Q4_K"
std::string describe(const TinySpec& spec);

/// The file before it is closed, so that tests can change it.
GgufWriter tiny_metadata(const TinySpec& spec);
void add_tiny_tensors(const TinySpec& spec, GgufWriter& file);

/// A matrix [rows][cols] of random blocks: values of about 1 / sqrt(cols), any type.
std::vector<std::byte> random_blocks(Dtype dtype, std::size_t rows, std::size_t cols, std::uint64_t seed);

/// A file in memory and the view of it.
class TinyFile {
 public:
  explicit TinyFile(const TinySpec& spec);
  explicit TinyFile(const GgufWriter& writer);
  const Gguf& gguf() const { return *gguf_; }

 private:
  void parse(const GgufWriter& writer);
  std::vector<std::byte> bytes_;
  std::unique_ptr<Gguf> gguf_;
};

/// The instruction sets that a model can use here: supported_isas(), and the route of processors with AMX if
/// it can be emulated.
std::vector<Isa> engine_isas();

/// Loads a file, failing the test with the message if it cannot.
std::shared_ptr<const Transformer> load(const Gguf& file, const LoadOptions& options);

/// The options with the attention window and sinks of a spec.
LoadOptions with_attention(const TinySpec& spec, LoadOptions options);

/// Token ids for a prompt of n words.
std::vector<std::int32_t> random_tokens(std::size_t n, std::uint32_t vocab, std::uint64_t seed);

}  // namespace partita::internal::testing
