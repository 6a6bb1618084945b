// What a model is, as data: read once from metadata by the row of its family.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita {

/// What one layer does differently from its neighbours.
struct LayerKind {
  /// Sliding window: the token at p sees keys with p - key < window, itself included. 0: everything before
  /// it.
  std::uint32_t window = 0;
  std::uint8_t rope = 0;  // index into Config::rope
  /// Attention sinks: with a window, the first so many keys are seen besides. Whole pages of the cache.
  std::uint32_t sinks = 0;
};

/// Angles of rotary position embedding: token p rotates pair i by p * inverse_frequency[i]. (Su et al. 2021)
struct Rope {
  std::vector<float> inverse_frequency;  // [head_dim / 2]
};

struct Config {
  std::string family;      // "llama"
  std::string model_name;  // general.name, or the file's name
  std::uint32_t layers = 0;
  std::uint32_t hidden_size = 0;
  std::uint32_t ffn_size = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t vocab_size = 0;
  std::uint32_t context_length = 0;  // the model's own limit
  float norm_eps = 0;
  float embedding_scale = 1;
  float attention_scale = 0;  // 1 / sqrt(head_dim) in most families
  GateFunction gate = GateFunction::kSilu;
  bool interleaved_qk =
      false;                // Q/K rows of the file are for rotary pairs (2i, 2i+1); packed as (i, i + half)
  bool qk_norm = false;     // RMS norm of every query and key head before RoPE
  bool post_norms = false;  // RMS norm of what attention and FFN give, before the residual is added
  std::vector<LayerKind> layer_kinds;  // [layers]
  std::vector<Rope> rope;              // one, or two with local layers of another base
};

/// Reads the Config of any known family. Errors: kUnsupported naming an unknown family and the known ones, or
/// a piece that is known but not built; kBadFile naming the key, the value and the limit.
Result<Config> read_config(const Gguf& file);

/// Whether a file says that it holds a model, not a part of one or something else; read_config() refuses what
/// is none.
bool is_whole_model(const Gguf& file);

/// Attention at a cost that does not grow with the context (Xiao et al. 2023): every layer that sees farther
/// than `window` sees that window and the first `sinks` tokens instead. Precondition: window > 0, sinks a
/// multiple of kPageTokens.
void limit_attention(Config& config, std::uint32_t window, std::uint32_t sinks);

/// The families of families.cc, for messages.
std::vector<std::string_view> known_families();

}  // namespace partita
