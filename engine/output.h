// The output weights (LM head) as a file stores them: one matrix, or the parts of an adaptive or hierarchical
// softmax or of a mixture of softmaxes (docs/heads.md lists the keys and tensors).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/embedding.h"
#include "engine/tensor_loader.h"
#include "partita/result.hpp"

namespace partita::internal {

enum class OutputKind : std::uint8_t {
  kDense,     // softmax(root)
  kAdaptive,  // a root of words and clusters, a softmax in each cluster (Grave et al. 2017; Goodman 2001)
  kTree,      // a binary decision at every inner node (Morin & Bengio 2005)
  kMixture,   // several softmaxes, weighted (Yang et al. 2018)
};

/// "dense", "adaptive", "tree" or "mixture", as in "partita.head.kind".
std::string_view name(OutputKind kind);

/// Words that share one row of the root.
struct Cluster {
  std::size_t begin = 0;  // its first rank in the vocabulary order
  Linear projection;      // [width][hidden]; absent: width = hidden
  Linear words;           // [words][width]
};

struct OutputWeights {
  OutputKind kind = OutputKind::kDense;
  std::size_t vocab_size = 0;
  std::size_t hidden_size = 0;

  /// Dense: all words, [vocab][hidden]; the embedding itself if the model ties them. Adaptive: the shortlist,
  /// then one row per cluster, [shortlist + clusters][width]. Tree: the inner nodes, [vocab - 1][hidden].
  /// Mixture: all words, [vocab][width].
  Linear root;
  float softcap = 0;  // dense: > 0: logits x become softcap * tanh(x / softcap)

  Linear projection;                   // adaptive: of the root, [width][hidden]; absent: width = hidden
  std::size_t shortlist = 0;           // adaptive: the root holds ranks [0, shortlist) itself
  std::vector<Cluster> clusters;       // adaptive: the ranks from `shortlist` on
  std::vector<std::uint32_t> id_of;    // adaptive: by rank; empty: the id is the rank
  std::vector<std::uint32_t> rank_of;  // adaptive: by id

  std::vector<std::int32_t>
      children;  // tree: [vocab - 1][2], left and right: node c, or word -1 - c where c < 0

  Linear prior;   // mixture: [contexts][hidden]
  Linear latent;  // mixture: [contexts * width][hidden]

  /// Why no screen (sampling/heads/screen.h) can be used, after "the model has"; empty: one can.
  std::string screen_refusal() const;

  std::size_t bytes() const;
};

/// Reads "partita.head.*" and "output.*". Errors: kUnsupported for an unknown kind; kBadFile naming key or
/// tensor, value and limit; those of TensorLoader.
Result<void> load_output(TensorLoader& tensors, std::size_t vocab_size, std::size_t hidden_size,
                         const Embedding& embedding, OutputWeights& out);

}  // namespace partita::internal
