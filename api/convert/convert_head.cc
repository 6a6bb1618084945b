#include "api/convert/convert_head.h"

#include <span>
#include <string>
#include <utility>

#include "api/convert/checkpoint_family.h"
#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

using Kind = HeadConfig::Kind;

std::string embedding_of(const CheckpointConfig& c) { return sentence(c.family->names.embedding, ".weight"); }

std::string numbered(std::string_view before, std::size_t i, std::string_view after = "") {
  return sentence(before, i, after);
}

/// The rank where cluster i begins: a cutoff, or vocab.
std::size_t begin_of(const CheckpointConfig& c, std::span<const std::int32_t> cutoffs, std::size_t i) {
  return i < cutoffs.size() ? static_cast<std::size_t>(cutoffs[i]) : c.vocab;
}

std::size_t words_of(const CheckpointConfig& c, std::span<const std::int32_t> cutoffs, std::size_t i) {
  return begin_of(c, cutoffs, i + 1) - begin_of(c, cutoffs, i);
}

/// The name prefix of an embedding's bands, whose words are "...I.0.weight". A model's embed_tokens may be
/// fairseq's AdaptiveInput itself, or the list in it.
std::string bands_of(const TensorCopy& tensors) {
  const std::string inner = "model.embed_tokens.embeddings.";
  return tensors.has(inner + "0.0.weight") ? inner : "model.embed_tokens.";
}

/// nn.AdaptiveLogSoftmaxWithLoss, and fairseq's AdaptiveSoftmax, which has a dropout between the matrices of
/// a tail.
void convert_adaptive(const CheckpointConfig& c, TensorCopy& tensors) {
  const std::vector<std::int32_t>& cutoffs = c.head.cutoffs;
  const std::size_t root = begin_of(c, cutoffs, 0) + cutoffs.size();
  const std::string bands = bands_of(tensors);
  tensors.matrix("lm_head.head.weight", "output.weight", root, c.hidden);
  tensors.vector_if_there("lm_head.head.bias", "output.bias", root);
  for (std::size_t i = 0; i < cutoffs.size(); ++i) {
    const std::string tail = numbered("lm_head.tail.", i), out = numbered("output.", i);
    const std::string projection = tail + ".0",
                      words = tail + (tensors.has(tail + ".2.weight") ? ".2" : ".1");
    const std::uint64_t width = tensors.rows(projection + ".weight");
    const std::size_t size = words_of(c, cutoffs, i);
    tensors.matrix(projection + ".weight", out + ".proj.weight", width, c.hidden);
    tensors.vector_if_there(projection + ".bias", out + ".proj.bias", width);
    // A matrix shared with the embedding is written once.
    const bool shared = c.embedding_cutoffs == cutoffs && tensors.cols(words + ".weight") == width &&
                        tensors.same(words + ".weight", numbered(bands, i + 1, ".0.weight"));
    if (shared) {
      tensors.skip(words + ".weight");
    } else {
      tensors.matrix(words + ".weight", out + ".weight", size, width);
    }
    tensors.vector_if_there(words + ".bias", out + ".bias", size);
  }
}

/// Transformer-XL's ProjectedAdaptiveLogSoftmax: layer 0 has the shortlist, layer i >= 1 cluster i - 1; with
/// div_val 1 layer 0 has all words.
class TransformerXl {
 public:
  TransformerXl(const CheckpointConfig& c, TensorCopy& tensors)
      : c_(c), tensors_(tensors), one_layer_(!tensors.has("lm_head.out_layers.1.weight")) {
    if (!one_layer_) return;
    all_ = read_layer(0, c.vocab);
  }

  void convert() {
    const std::size_t clusters = c_.head.cutoffs.size();
    Layer root = layer(0);
    root.weight.push_back(tensors_.part("lm_head.cluster_weight", {clusters, root.cols}));
    const bool biased = tensors_.has("lm_head.cluster_bias");
    if (biased != !root.bias.empty()) {
      tensors_.fail({ErrorCode::kBadFile,
                     "the checkpoint has only one of lm_head.out_layers.0.bias and lm_head.cluster_bias"});
    }
    if (biased) root.bias.push_back(tensors_.part("lm_head.cluster_bias", {clusters}));
    write("output", 0, root, begin_of(c_, c_.head.cutoffs, 0) + clusters);
    for (std::size_t i = 0; i < clusters; ++i) {
      write(numbered("output.", i), i + 1, layer(i + 1), words_of(c_, c_.head.cutoffs, i));
    }
  }

 private:
  struct Layer {
    std::vector<TensorPart> weight, bias;  // [words][cols]; [words][1], or none
    std::uint64_t cols = 0;
  };

  Layer read_layer(std::size_t i, std::size_t words) {
    const std::string name = numbered("lm_head.out_layers.", i);
    Layer out;
    out.cols = tensors_.cols(name + ".weight");
    out.weight = {tensors_.part(name + ".weight", {words, out.cols})};
    if (tensors_.has(name + ".bias")) out.bias = {tensors_.part(name + ".bias", {words}).reshaped(words, 1)};
    return out;
  }

  Layer layer(std::size_t i) {
    const std::size_t first = i == 0 ? 0 : begin_of(c_, c_.head.cutoffs, i - 1);
    const std::size_t words = begin_of(c_, c_.head.cutoffs, i) - first;
    if (!one_layer_) return read_layer(i, words);
    Layer out;
    out.cols = all_.cols;
    for (const TensorPart& part : all_.weight) out.weight.push_back(part.slice(first, words));
    for (const TensorPart& part : all_.bias) out.bias.push_back(part.slice(first, words));
    return out;
  }

  void write(const std::string& to, std::size_t i, const Layer& from, std::size_t words) {
    const std::string projection = numbered("lm_head.out_projs.", i);  // [hidden][cols], no Linear
    if (tensors_.has(projection)) {
      tensors_.write_matrix(to + ".proj.weight", from.cols, c_.hidden,
                            {tensors_.part(projection, {c_.hidden, from.cols}).transposed()});
    } else if (from.cols != c_.hidden) {
      tensors_.fail(
          {ErrorCode::kNotFound,
           sentence("the checkpoint has no tensor ", internal::quoted(projection), ", which words of ",
                    from.cols, " numbers need where hidden_size is ", c_.hidden)});
    }
    tensors_.write_matrix(to + ".weight", words, from.cols, from.weight);
    if (!from.bias.empty()) tensors_.write_vector(to + ".bias", from.bias);
  }

  const CheckpointConfig& c_;
  TensorCopy& tensors_;
  const bool one_layer_;
  Layer all_;  // with one layer
};

/// Class-based softmax: a root of classes alone, and one matrix of words in the vocabulary order.
void convert_classes(const CheckpointConfig& c, TensorCopy& tensors) {
  const std::vector<std::int32_t>& cutoffs = c.head.cutoffs;
  tensors.matrix("lm_head.classes.weight", "output.weight", cutoffs.size(), c.hidden);
  tensors.vector_if_there("lm_head.classes.bias", "output.bias", cutoffs.size());
  const TensorPart words = tensors.part("lm_head.words.weight", {c.vocab, c.hidden});
  const bool biased = tensors.has("lm_head.words.bias");
  const TensorPart biases =
      biased ? tensors.part("lm_head.words.bias", {c.vocab}).reshaped(c.vocab, 1) : TensorPart();
  for (std::size_t i = 0; i < cutoffs.size(); ++i) {
    const std::size_t first = begin_of(c, cutoffs, i), size = words_of(c, cutoffs, i);
    const std::string out = numbered("output.", i);
    tensors.write_matrix(out + ".weight", size, c.hidden, {words.slice(first, size)});
    if (biased) tensors.write_vector(out + ".bias", {biases.slice(first, size)});
  }
}

void convert_tree(const CheckpointConfig& c, TensorCopy& tensors) {
  const std::uint64_t nodes = c.vocab - 1;
  tensors.matrix("lm_head.nodes.weight", "output.weight", nodes, c.hidden);
  tensors.vector_if_there("lm_head.nodes.bias", "output.bias", nodes);
}

/// Yang et al.'s mixture of softmaxes.
void convert_mixture(const CheckpointConfig& c, TensorCopy& tensors) {
  const std::string latent = tensors.has("lm_head.latent.weight") ? "lm_head.latent" : "lm_head.latent.0";
  const bool shares = c.tied && !tensors.has("lm_head.decoder.weight");
  const std::string words = shares ? embedding_of(c) : "lm_head.decoder.weight";
  const std::uint64_t kinds = tensors.rows("lm_head.prior.weight"), width = tensors.cols(words);
  if (kinds > kMaxMixtureContexts) {
    return tensors.fail(
        {ErrorCode::kUnsupported,
         sentence("lm_head.prior.weight has ", kinds, " contexts, and the limit is ", kMaxMixtureContexts)});
  }
  tensors.matrix("lm_head.prior.weight", "output.prior.weight", kinds, c.hidden);
  tensors.vector_if_there("lm_head.prior.bias", "output.prior.bias", kinds);
  tensors.matrix(latent + ".weight", "output.latent.weight", kinds * width, c.hidden);
  tensors.vector_if_there(latent + ".bias", "output.latent.bias", kinds * width);
  tensors.matrix(words, "output.weight", c.vocab, width);
  tensors.vector_if_there("lm_head.decoder.bias", "output.bias", c.vocab);
}

/// With tied embeddings the file has no output.weight, if their scales are the same; a copy in the checkpoint
/// is skipped.
void convert_dense(const CheckpointConfig& c, TensorCopy& tensors) {
  const std::string head = sentence(c.family->names.head, ".weight"),
                    bias = sentence(c.family->names.head, ".bias");
  tensors.vector_if_there(bias, "output.bias", c.vocab);
  if (c.tied) tensors.skip(head);
  if (c.tied && c.head_scale == c.embedding_scale) return;
  tensors.matrix(c.tied ? embedding_of(c) : head, "output.weight", c.vocab, c.hidden, c.head_scale);
}

}  // namespace

void convert_embedding(const CheckpointConfig& c, TensorCopy& tensors, GgufWriter& file) {
  const std::vector<std::int32_t>& cutoffs = c.embedding_cutoffs;
  if (cutoffs.empty()) {
    return tensors.matrix(embedding_of(c), "token_embd.weight", c.vocab, c.hidden, c.embedding_scale);
  }
  file.add("partita.embedding.cutoffs", cutoffs);
  const std::string bands = bands_of(tensors);
  for (std::size_t i = 0; i <= cutoffs.size(); ++i) {
    const std::size_t first = i == 0 ? 0 : begin_of(c, cutoffs, i - 1);
    const std::string words = numbered(bands, i, ".0.weight"), projection = numbered(bands, i, ".1.weight");
    const std::uint64_t width = tensors.cols(words);
    if (width > c.hidden) {
      return tensors.fail({ErrorCode::kUnsupported,
                           sentence(words, " has ", width, " columns, and hidden_size is ", c.hidden)});
    }
    tensors.matrix(words, numbered("token_embd.", i, ".weight"), begin_of(c, cutoffs, i) - first, width);
    if (width == c.hidden && !tensors.has(projection)) continue;
    tensors.matrix(projection, numbered("token_embd.", i, ".proj.weight"), c.hidden, width);
  }
}

void convert_head(const CheckpointConfig& c, TensorCopy& tensors, GgufWriter& file) {
  const bool by_classes = c.head.kind == Kind::kClasses;  // in the file an adaptive head without a shortlist
  if (c.head.kind != Kind::kDense)
    file.add("partita.head.kind", by_classes ? "adaptive" : c.head.name.c_str());
  if (!c.head.cutoffs.empty()) file.add("partita.head.cutoffs", c.head.cutoffs);
  if (!c.head.children.empty()) file.add("partita.head.children", c.head.children);
  if (!c.head.order.empty()) file.add("partita.vocabulary.order", c.head.order);
  switch (c.head.kind) {
    case Kind::kDense:
      return convert_dense(c, tensors);
    case Kind::kAdaptive:
      if (tensors.has("lm_head.cluster_weight")) return TransformerXl(c, tensors).convert();
      return convert_adaptive(c, tensors);
    case Kind::kClasses:
      return convert_classes(c, tensors);
    case Kind::kTree:
      return convert_tree(c, tensors);
    case Kind::kMixture:
      return convert_mixture(c, tensors);
  }
}

}  // namespace partita::internal
