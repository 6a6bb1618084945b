// Reads and checks the config.json of a Hugging Face checkpoint. Internal to api/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "partita/result.hpp"

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

struct CheckpointConfig {
  std::uint32_t hidden = 0, ffn = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::uint32_t context = 0, vocab = 0;
  double norm_eps = 0, rope_base = 0;
  bool tied = false;  // the embedding is the output matrix too
  HeadConfig head;
  std::vector<std::int32_t> embedding_cutoffs;  // empty: one embedding matrix
};

/// Reads `path`, a config.json. Errors: those of InputFile; kBadFile and kUnsupported naming key, value and
/// limit.
Result<CheckpointConfig> read_checkpoint_config(const std::string& path);

/// The same of the text itself; `name` is for error messages.
Result<CheckpointConfig> parse_checkpoint_config(std::string_view text, const std::string& name);

}  // namespace partita::internal
