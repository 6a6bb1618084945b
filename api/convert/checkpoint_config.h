// What a config.json says of a Hugging Face checkpoint. Internal to api/.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace partita::internal {

/// The output head that "partita_head" describes (docs/convert.md); without one it is dense.
struct HeadConfig {
  enum class Kind : std::uint8_t { kDense, kAdaptive, kClasses, kTree, kMixture };
  Kind kind = Kind::kDense;
  std::string name = "dense";          // of the kind, as in config.json
  std::vector<std::int32_t> cutoffs;   // adaptive and classes: where clusters begin in the order
  std::vector<std::int32_t> children;  // tree: of node i, left at 2 i and right at 2 i + 1
  std::vector<std::int32_t> order;     // vocabulary order: the id at each rank; empty: ids in order
};

/// Metadata of the model file: names without the family, and values.
class Keys {
 public:
  using Value = std::variant<bool, std::uint32_t, float, std::string, std::vector<bool>,
                             std::vector<std::uint32_t>, std::vector<float>>;
  /// A name that is there gets the new value.
  void add(std::string_view name, Value value) {
    const auto found =
        std::find_if(all_.begin(), all_.end(), [&](const auto& key) { return key.first == name; });
    if (found == all_.end()) {
      all_.emplace_back(name, std::move(value));
    } else {
      found->second = std::move(value);
    }
  }
  const std::vector<std::pair<std::string, Value>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, Value>> all_;
};

struct CheckpointFamily;

/// The heads of a layer: of queries, and of keys and values.
struct HeadSizes {
  std::size_t queries = 0, keys = 0, key_dim = 0, value_dim = 0;
};

struct CheckpointConfig {
  const CheckpointFamily* family = nullptr;
  std::string_view architecture;   // general.architecture; the family's, if its keys do not say another
  std::uint32_t nextn_layers = 0;  // behind the others, which predict further tokens; they are left out
  std::uint32_t hidden = 0, ffn = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::uint32_t value_dim = 0;  // of a head's value
  std::uint32_t context = 0, vocab = 0;
  std::uint32_t experts = 0, expert_ffn = 0, shared_ffn = 0;  // of a mixture of experts
  double norm_eps = 0;
  double rope_base = 0, local_rope_base = 0;  // the same where local layers have none of their own
  std::uint32_t token_input_width = 0, token_input_vocab = 0;  // of embeddings per layer
  std::uint32_t versions = 0;                                  // of the residual stream
  std::uint32_t low_rank = 0;                                  // of learned residual connections
  std::uint32_t conv_width = 0;                                // of short convolutions
  struct StateSpace {                                          // of Mamba and Mamba-2
    std::uint32_t width = 0;                                   // channels
    std::uint32_t places = 0;                                  // numbers in the state of each
    std::uint32_t rank = 0;                                    // Mamba: of the steps
    std::uint32_t heads = 0, groups = 0;                       // Mamba-2
    std::size_t filtered() const { return width + std::size_t{2} * groups * places; }  // by its convolution
  } state_space;
  struct DeltaNet {
    std::uint32_t heads = 0, key_heads = 0;  // of values; of queries and keys
    std::uint32_t key_dim = 0, value_dim = 0;
  } delta_net;
  struct Latents {                             // multi-head latent attention
    std::uint32_t rank = 0, query_rank = 0;    // query_rank 0: queries have no latent
    std::uint32_t key_dim = 0, value_dim = 0;  // of a head; the last rotary_dim of a key rotate
  } latents;
  std::uint32_t index_heads = 0, index_dim = 0;    // of an indexer, which chooses keys
  std::vector<std::uint32_t> heads_of_layers;      // [layers] where they differ
  std::vector<std::uint32_t> kv_heads_of_layers;   // [layers] where they differ; 0: no attention
  std::vector<HeadSizes> head_sizes;               // [layers] where their widths differ too
  std::vector<std::uint32_t> ffn_of_layers;        // likewise; 0: no FFN
  std::uint32_t original_context = 0;              // before it was made longer
  std::uint32_t rotary_dim = 0;                    // of a head
  std::uint32_t local_rotary_dim = 0;              // the same where local layers have none of their own
  std::vector<float> rope_factors;                 // of Llama 3's scaling: [rotary_dim / 2], or empty
  std::vector<float> short_factors, long_factors;  // of LongRoPE, likewise
  float embedding_scale = 1, head_scale = 1;       // multiply the matrices
  std::vector<float> multipliers;                  // of projections, in an order of the family
  Keys keys;                                       // all but those of the head
  bool larger = false;                             // the text part of a model that sees or hears too
  bool tied = false;                               // the embedding is the output matrix too
  HeadConfig head;
  std::vector<std::int32_t> embedding_cutoffs;  // empty: one embedding matrix

  std::size_t query_width() const { return std::size_t{heads} * head_dim; }
  std::size_t key_width() const { return std::size_t{kv_heads} * head_dim; }
};

}  // namespace partita::internal
