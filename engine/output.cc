#include "engine/output.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "engine/limits.h"
#include "engine/vocabulary_order.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::string_view kKind = "partita.head.kind";
constexpr std::string_view kCutoffs = "partita.head.cutoffs";
constexpr std::string_view kChildren = "partita.head.children";

constexpr std::array kNames = {std::string_view("dense"), std::string_view("adaptive"),
                               std::string_view("tree"), std::string_view("mixture")};

Error bad_file(const TensorLoader& tensors, const std::string& rest) {
  return {ErrorCode::kBadFile, "'" + tensors.file().path() + "': " + rest};
}

Result<OutputKind> read_kind(const Gguf& file) {
  if (file.find(kKind) == nullptr) return OutputKind::kDense;
  auto text = file.get_string(kKind);
  if (!text) return text.error();
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == *text) return static_cast<OutputKind>(i);
  }
  return Error{ErrorCode::kUnsupported, "'" + file.path() + "': " + std::string(kKind) + " is " +
                                            quoted(*text) + ", and must be dense, adaptive, tree or mixture"};
}

/// Loads a projection if the file has one. Returns its output width: its rows, or `hidden`.
Result<std::size_t> load_projection(TensorLoader& tensors, const std::string& name, std::size_t hidden,
                                    Linear& out) {
  if (!tensors.file().has_tensor(name + ".weight")) return hidden;
  auto sizes = tensors.sizes(name + ".weight");
  if (!sizes) return sizes.error();
  TRY(tensors.linear(name, sizes->rows, hidden, out));
  return sizes->rows;
}

Result<void> load_dense(TensorLoader& tensors, const Embedding& embedding, OutputWeights& out) {
  if (tensors.file().has_tensor("output.weight")) {
    return tensors.linear("output", out.vocab_size, out.hidden_size, out.root);
  }
  if (embedding.table() == nullptr) {
    return bad_file(tensors,
                    "there is no output.weight, and an adaptive embedding cannot be used in its place");
  }
  out.root.weight = *embedding.table();
  return {};
}

/// The band of the embedding with the same words in the same order, or null.
const Band* band_like(const Cluster& cluster, std::size_t words, std::size_t width,
                      const Embedding& embedding) {
  const auto found = std::find_if(embedding.bands.begin(), embedding.bands.end(), [&](const Band& band) {
    return band.begin == cluster.begin && band.rows.rows == words && band.rows.cols == width;
  });
  return found == embedding.bands.end() ? nullptr : &*found;
}

/// tied: whether words that the file does not have may be those of a band.
Result<void> load_cluster(TensorLoader& tensors, std::size_t i, std::size_t words, const Embedding& embedding,
                          bool tied, std::size_t hidden, Cluster& cluster) {
  const std::string name = "output." + std::to_string(i);
  auto width = load_projection(tensors, name + ".proj", hidden, cluster.projection);
  if (!width) return width.error();
  const Band* const band = tied ? band_like(cluster, words, *width, embedding) : nullptr;
  if (band == nullptr || tensors.file().has_tensor(name + ".weight")) {
    return tensors.linear(name, words, *width, cluster.words);
  }
  cluster.words.weight = band->rows;
  return tensors.file().has_tensor(name + ".bias") ? tensors.vector(name + ".bias", words, cluster.words.bias)
                                                   : Result<void>();
}

Result<void> load_adaptive(TensorLoader& tensors, const Embedding& embedding, OutputWeights& out) {
  auto ends = read_cutoffs(tensors.file(), kCutoffs, out.vocab_size, 0);
  if (!ends) return ends.error();
  auto order = read_order(tensors.file(), out.vocab_size);
  if (!order) return order.error();
  out.id_of = std::move(order->id_of);
  out.rank_of = std::move(order->rank_of);
  out.shortlist = ends->front();
  const std::size_t clusters = ends->size() - 1;
  auto width = load_projection(tensors, "output.proj", out.hidden_size, out.projection);
  if (!width) return width.error();
  TRY(tensors.linear("output", out.shortlist + clusters, *width, out.root));
  for (std::size_t i = 0; i < clusters; ++i) {
    Cluster& cluster = out.clusters.emplace_back();
    cluster.begin = (*ends)[i];
    const std::size_t words = (*ends)[i + 1] - cluster.begin;
    const bool tied = embedding.rank_of.empty() == out.id_of.empty();  // a rank means the same word in both
    TRY(load_cluster(tensors, i, words, embedding, tied, out.hidden_size, cluster));
  }
  return {};
}

/// Children come before their parents, and every node but the root has one parent; so it is a tree.
Result<void> load_tree(TensorLoader& tensors, OutputWeights& out) {
  if (out.vocab_size < 2)
    return bad_file(tensors, "a tree over words must have two of them, and there is one");
  const std::size_t nodes = out.vocab_size - 1;
  auto children = read_integers(tensors.file(), kChildren, -static_cast<std::int64_t>(out.vocab_size),
                                static_cast<std::int64_t>(nodes) - 1, 2 * nodes);
  if (!children) return children.error();
  const auto bad = [&](std::size_t i, const std::string& why) {
    return bad_file(tensors, std::string(kChildren) + "[" + std::to_string(i) + "] is " +
                                 std::to_string((*children)[i]) + ", " + why);
  };
  if (children->size() != 2 * nodes) {
    return bad_file(tensors, std::string(kChildren) + " has " + std::to_string(children->size()) +
                                 " elements, and " + std::to_string(out.vocab_size) + " words take " +
                                 std::to_string(2 * nodes));
  }
  std::vector<bool> seen(nodes + out.vocab_size, false);
  for (std::size_t i = 0; i < children->size(); ++i) {
    const std::int64_t child = (*children)[i];
    const auto node = static_cast<std::size_t>(child), word = static_cast<std::size_t>(-1 - child);
    if (child >= 0 && node >= i / 2) return bad(i, "and must be below its parent's " + std::to_string(i / 2));
    const std::size_t which = child >= 0 ? node : nodes + word;
    if (seen[which]) return bad(i, "which is a child already");
    seen[which] = true;
    out.children.push_back(static_cast<std::int32_t>(child));
  }
  return tensors.linear("output", nodes, out.hidden_size, out.root);
}

Result<void> load_mixture(TensorLoader& tensors, OutputWeights& out) {
  auto prior = tensors.sizes("output.prior.weight");
  if (!prior) return prior.error();
  const std::size_t contexts = prior->rows;
  if (contexts > kMaxMixtureContexts) {
    return bad_file(tensors, "output.prior.weight has " + std::to_string(contexts) +
                                 " contexts, and the limit is " + std::to_string(kMaxMixtureContexts));
  }
  auto words = tensors.sizes("output.weight");
  if (!words) return words.error();
  TRY(tensors.linear("output.prior", contexts, out.hidden_size, out.prior));
  TRY(tensors.linear("output.latent", contexts * words->cols, out.hidden_size, out.latent));
  return tensors.linear("output", out.vocab_size, words->cols, out.root);
}

}  // namespace

std::string_view name(OutputKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::size_t OutputWeights::bytes() const {
  std::size_t bytes = 0;
  for (const Linear* part : {&root, &projection, &prior, &latent}) bytes += part->bytes();
  for (const Cluster& cluster : clusters) bytes += cluster.projection.bytes() + cluster.words.bytes();
  return bytes;
}

std::string OutputWeights::screen_refusal() const {
  if (kind != OutputKind::kDense)
    return "an output of the kind '" + std::string(name(kind)) + "', and only dense ones are screened";
  if (!root.bias.empty()) return "a bias of its logits, and only logits without one are screened";
  return softcap > 0 ? "a soft cap of its logits, and only logits without one are screened" : "";
}

Result<void> load_output(TensorLoader& tensors, std::size_t vocab_size, std::size_t hidden_size,
                         const Embedding& embedding, OutputWeights& out) {
  auto kind = read_kind(tensors.file());
  if (!kind) return kind.error();
  out.kind = *kind;
  out.vocab_size = vocab_size;
  out.hidden_size = hidden_size;
  switch (out.kind) {
    case OutputKind::kDense:
      return load_dense(tensors, embedding, out);
    case OutputKind::kAdaptive:
      return load_adaptive(tensors, embedding, out);
    case OutputKind::kTree:
      return load_tree(tensors, out);
    case OutputKind::kMixture:
      return load_mixture(tensors, out);
  }
  return {};
}

}  // namespace partita::internal
