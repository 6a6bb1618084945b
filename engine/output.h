// What stands between the last hidden state and the words, as it stands in a file: one matrix, or the pieces
// of an adaptive or hierarchical softmax or of a mixture (docs/heads.md has the keys and tensors).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/embedding.h"
#include "engine/tensor_loader.h"
#include "partita/result.hpp"

namespace partita {

enum class OutputKind : std::uint8_t {
  kDense,     // softmax(root)
  kAdaptive,  // a root of words and clusters, a softmax in each cluster (Grave et al. 2017; Goodman 2001)
  kTree,      // a binary decision at every inner node (Morin & Bengio 2005)
  kMixture,   // several softmaxes, weighted (Yang et al. 2018)
};

/// "dense" and so on, as in "partita.head.kind".
std::string_view name(OutputKind kind);

/// Words that share one row of the root.
struct Cluster {
  std::size_t begin = 0;  // its first place
  Linear projection;      // [width][hidden]; without it width = hidden
  Linear words;           // [words][width]
};

struct OutputWeights {
  OutputKind kind = OutputKind::kDense;
  std::size_t vocab_size = 0;
  std::size_t hidden_size = 0;

  /// Dense: all words, [vocab][hidden]; the embedding itself where the model ties them. Adaptive: the
  /// shortlist, then a row a cluster, [shortlist + clusters][width]. Tree: the inner nodes, [vocab -
  /// 1][hidden]. Mixture: all words, [vocab][width].
  Linear root;

  Linear projection;                    // adaptive: of the root, [width][hidden]; without it width = hidden
  std::size_t shortlist = 0;            // adaptive: places [0, shortlist) stand in the root itself
  std::vector<Cluster> clusters;        // adaptive: the places from there on
  std::vector<std::uint32_t> id_of;     // adaptive: the id at each place; empty: the same
  std::vector<std::uint32_t> place_of;  // adaptive: and the place of each id

  std::vector<std::int32_t>
      children;  // tree: [vocab - 1][2], left and right: node c, or word -1 - c where c < 0

  Linear prior;   // mixture: [contexts][hidden]
  Linear latent;  // mixture: [contexts * width][hidden]

  std::size_t bytes() const;
};

/// Reads "partita.head.*" and "output.*". Errors: kUnsupported for another kind; kBadFile naming key or
/// tensor, value and limit; those of TensorLoader.
Result<void> load_output(TensorLoader& tensors, std::size_t vocab_size, std::size_t hidden_size,
                         const Embedding& embedding, OutputWeights& out);

}  // namespace partita
