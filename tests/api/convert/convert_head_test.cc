// Converts heads and embeddings with the tensor names of PyTorch, fairseq and Transformer-XL: keys, shapes
// and values in the model file.
#include <numeric>
#include <string>
#include <vector>

#include "tests/api/convert/checkpoints.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using C = Checkpoint;
using Json = nlohmann::json;
using Floats = std::vector<float>;

constexpr std::uint64_t kHidden = C::kHidden, kVocab = C::kVocab;

Floats operator+(Floats a, const Floats& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// [rows][cols] to [cols][rows].
Floats transposed(const Floats& values, std::size_t rows, std::size_t cols) {
  Floats out;
  for (std::size_t c = 0; c < cols; ++c) {
    for (std::size_t r = 0; r < rows; ++r) out.push_back(values[r * cols + c]);
  }
  return out;
}

std::vector<std::int32_t> backwards() {
  std::vector<std::int32_t> order(kVocab);
  std::iota(order.rbegin(), order.rend(), 0);
  return order;
}

std::string kind_of(const Gguf& file) { return std::string(must(file.get_string("partita.head.kind"))); }

/// The model that was written last opens with a head of this kind and goes on with a text.
void check_generates(const Checkpoint& checkpoint, const std::string& head) {
  const Model model = must(Model::open(checkpoint.output()));
  CHECK(model.info().head == head);
  Request request;
  request.prompt = "hello";
  request.max_tokens = 6;
  request.sampling.seed = 3;
  CHECK(generate_alone(model, request).tokens.size() > 0);
}

TEST_CASE("PyTorch's adaptive softmax") {
  Checkpoint checkpoint;
  checkpoint.set_head({{"kind", "adaptive"}, {"cutoffs", {100, 200}}, {"order", backwards()}});
  const auto& root = checkpoint.add("lm_head.head.weight", {102, kHidden});
  const auto& project0 = checkpoint.add("lm_head.tail.0.0.weight", {32, kHidden});
  const auto& words0 = checkpoint.add("lm_head.tail.0.1.weight", {100, 32});
  const auto& project1 = checkpoint.add("lm_head.tail.1.0.weight", {8, kHidden});
  const auto& words1 = checkpoint.add("lm_head.tail.1.1.weight", {63, 8});
  CHECK(must(checkpoint.convert()).head == "adaptive");
  const Gguf file = must(Gguf::open_whole(checkpoint.output()));
  CHECK(kind_of(file) == "adaptive");
  CHECK(integers_of(file, "partita.head.cutoffs") == std::vector<std::int32_t>{100, 200});
  CHECK(integers_of(file, "partita.vocabulary.order") == backwards());
  CHECK(values_of(file, "output.weight", {102, kHidden}) == root);
  CHECK(values_of(file, "output.0.proj.weight", {32, kHidden}) == project0);
  CHECK(values_of(file, "output.0.weight", {100, 32}) == words0);
  CHECK(values_of(file, "output.1.proj.weight", {8, kHidden}) == project1);
  CHECK(values_of(file, "output.1.weight", {63, 8}) == words1);
  CHECK_FALSE(file.has_tensor("output.bias"));
  CHECK_FALSE(file.has_tensor("output.proj.weight"));

  const auto& bias = checkpoint.add("lm_head.head.bias", {102});
  CHECK(values_of(checkpoint.converted(), "output.bias", {102}) == bias);

  const ConvertResult small = must(checkpoint.convert("q8_0"));
  CHECK(small.in_f16 == std::vector<std::string>{"output.1.proj.weight", "output.1.weight"});
  check_generates(checkpoint, "adaptive");
}

TEST_CASE("Words that an adaptive head shares with the embedding's bands are in the file once") {
  Checkpoint checkpoint;
  checkpoint.set_head({{"kind", "adaptive"}, {"cutoffs", {60, 150}}, {"order", backwards()}});
  checkpoint.config["partita_embedding"] = {{"cutoffs", {60, 150}}};
  checkpoint.add("lm_head.head.weight", {62, kHidden});
  checkpoint.add("lm_head.tail.0.0.weight", {32, kHidden});
  checkpoint.add("lm_head.tail.1.0.weight", {16, kHidden});
  const auto& words1 = checkpoint.add("lm_head.tail.1.1.weight", {113, 16});
  checkpoint.tensors.erase("model.embed_tokens.weight");
  checkpoint.add("model.embed_tokens.0.0.weight", {60, kHidden});
  checkpoint.add("model.embed_tokens.1.0.weight", {90, 32});
  checkpoint.add("model.embed_tokens.1.1.weight", {kHidden, 32});
  checkpoint.add("model.embed_tokens.2.0.weight", {113, 16});
  checkpoint.add("model.embed_tokens.2.1.weight", {kHidden, 16});
  checkpoint.tensors["lm_head.tail.0.1.weight"] = checkpoint.tensors["model.embed_tokens.1.0.weight"];
  const Gguf once = checkpoint.converted();
  CHECK_FALSE(once.has_tensor("output.0.weight"));
  CHECK(values_of(once, "output.1.weight", {113, 16}) == words1);
  const auto answer = [&] {
    Request request;
    request.prompt = "hello";
    request.max_tokens = 8;
    request.sampling.seed = 3;
    return generate_alone(must(Model::open(checkpoint.output())), request).ids;
  };
  const auto ids = answer();

  // The same numbers in another type are not looked for: the file has them twice, and the model is the same.
  checkpoint.tensors["lm_head.tail.0.1.weight"].type = "F16";
  CHECK(checkpoint.converted().has_tensor("output.0.weight"));
  CHECK(answer() == ids);

  // Shared or not, words are as wide as what the hidden state becomes for them.
  checkpoint.tensors["lm_head.tail.0.1.weight"].type = "F32";
  checkpoint.add("lm_head.tail.0.0.weight", {48, kHidden});
  const auto wide = checkpoint.convert();
  REQUIRE_FALSE(wide);
  CHECK(wide.error().message.find("lm_head.tail.0.1.weight") != std::string::npos);
}

TEST_CASE("Fairseq's adaptive softmax and adaptive input") {
  Checkpoint checkpoint;
  checkpoint.set_head({{"kind", "adaptive"}, {"cutoffs", {60}}});
  checkpoint.config["partita_embedding"] = {{"cutoffs", {60, 150}}};
  checkpoint.config["architectures"] = {"MyLlama"};
  const auto& root = checkpoint.add("lm_head.head.weight", {61, kHidden});
  const auto& project = checkpoint.add("lm_head.tail.0.0.weight", {16, kHidden});
  const auto& words = checkpoint.add("lm_head.tail.0.2.weight", {203, 16});
  checkpoint.add("lm_head.version", {1});
  checkpoint.tensors.erase("model.embed_tokens.weight");
  for (const std::string inner : {"", "embeddings."}) {
    const std::string bands = "model.embed_tokens." + inner;
    const auto& band0 = checkpoint.add(bands + "0.0.weight", {60, kHidden});  // as wide: no projection needed
    const auto& band1 = checkpoint.add(bands + "1.0.weight", {90, 32});
    const auto& band2 = checkpoint.add(bands + "2.0.weight", {113, 12});
    const auto& project1 = checkpoint.add(bands + "1.1.weight", {kHidden, 32});
    const auto& project2 = checkpoint.add(bands + "2.1.weight", {kHidden, 12});
    if (!inner.empty()) {
      checkpoint.add("model.embed_tokens._float_tensor", {1});
      checkpoint.add(bands + "0.1.weight", {kHidden, kHidden});
    }
    const Gguf file = checkpoint.converted();
    CHECK(values_of(file, "output.weight", {61, kHidden}) == root);
    CHECK(values_of(file, "output.0.proj.weight", {16, kHidden}) == project);
    CHECK(values_of(file, "output.0.weight", {203, 16}) == words);
    CHECK(integers_of(file, "partita.embedding.cutoffs") == std::vector<std::int32_t>{60, 150});
    CHECK(values_of(file, "token_embd.0.weight", {60, kHidden}) == band0);
    CHECK(values_of(file, "token_embd.1.weight", {90, 32}) == band1);
    CHECK(values_of(file, "token_embd.2.weight", {113, 12}) == band2);
    CHECK(values_of(file, "token_embd.1.proj.weight", {kHidden, 32}) == project1);
    CHECK(values_of(file, "token_embd.2.proj.weight", {kHidden, 12}) == project2);
    CHECK(file.has_tensor("token_embd.0.proj.weight") == !inner.empty());
    CHECK_FALSE(file.has_tensor("token_embd.weight"));
    if (!inner.empty()) break;
    std::erase_if(checkpoint.tensors, [&](const auto& t) { return t.first.starts_with(bands); });
  }
  check_generates(checkpoint, "adaptive");
}

TEST_CASE("Transformer-XL's adaptive softmax") {
  Checkpoint checkpoint;
  checkpoint.set_head({{"kind", "adaptive"}, {"cutoffs", {80, 180}}});
  const auto& cluster = checkpoint.add("lm_head.cluster_weight", {2, 32});
  const auto& cluster_bias = checkpoint.add("lm_head.cluster_bias", {2});
  const std::uint64_t words[] = {80, 100, 83}, cols[] = {32, 16, kHidden};
  const Floats *weights[3], *biases[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string layer = "lm_head.out_layers." + std::to_string(i);
    weights[i] = &checkpoint.add(layer + ".weight", {words[i], cols[i]});
    biases[i] = &checkpoint.add(layer + ".bias", {words[i]});
  }
  const auto& project0 = checkpoint.add("lm_head.out_projs.0", {kHidden, 32});
  const auto& project1 = checkpoint.add("lm_head.out_projs.1", {kHidden, 16});
  const Gguf file = checkpoint.converted();
  CHECK(kind_of(file) == "adaptive");
  CHECK(values_of(file, "output.weight", {82, 32}) == *weights[0] + cluster);
  CHECK(values_of(file, "output.bias", {82}) == *biases[0] + cluster_bias);
  CHECK(values_of(file, "output.proj.weight", {32, kHidden}) == transposed(project0, kHidden, 32));
  CHECK(values_of(file, "output.0.weight", {100, 16}) == *weights[1]);
  CHECK(values_of(file, "output.0.bias", {100}) == *biases[1]);
  CHECK(values_of(file, "output.0.proj.weight", {16, kHidden}) == transposed(project1, kHidden, 16));
  CHECK(values_of(file, "output.1.weight", {83, kHidden}) == *weights[2]);
  CHECK_FALSE(file.has_tensor("output.1.proj.weight"));

  checkpoint.tensors.erase("lm_head.out_projs.1");
  CHECK(
      checkpoint.convert().error().message ==
      "the checkpoint has no tensor 'lm_head.out_projs.1', which words of 16 numbers need where hidden_size "
      "is 64");
  checkpoint.tensors.erase("lm_head.cluster_bias");
  CHECK(checkpoint.convert().error().message ==
        "the checkpoint has only one of lm_head.out_layers.0.bias and lm_head.cluster_bias");
  check_generates(checkpoint, "adaptive");
}

TEST_CASE("Transformer-XL's adaptive softmax with words of one width") {
  Checkpoint checkpoint;
  checkpoint.set_head({{"kind", "adaptive"}, {"cutoffs", {80, 180}}});
  const auto& cluster = checkpoint.add("lm_head.cluster_weight", {2, kHidden});
  const auto& words = checkpoint.add("lm_head.out_layers.0.weight", {kVocab, kHidden});
  const Gguf file = checkpoint.converted();
  CHECK(values_of(file, "output.weight", {82, kHidden}) == rows_of(words, 0, 80, kHidden) + cluster);
  CHECK(values_of(file, "output.0.weight", {100, kHidden}) == rows_of(words, 80, 100, kHidden));
  CHECK(values_of(file, "output.1.weight", {83, kHidden}) == rows_of(words, 180, 83, kHidden));
  CHECK_FALSE(file.has_tensor("output.bias"));
  CHECK_FALSE(file.has_tensor("output.0.bias"));

  const auto& bias = checkpoint.add("lm_head.out_layers.0.bias", {kVocab});
  checkpoint.add("lm_head.cluster_bias", {2});
  CHECK(values_of(checkpoint.converted(), "output.1.bias", {83}) == rows_of(bias, 180, 83, 1));
  check_generates(checkpoint, "adaptive");
}

TEST_CASE("A softmax over classes, then over their words") {
  Checkpoint checkpoint;
  checkpoint.set_head({{"kind", "classes"}, {"sizes", {3, 200, 60}}, {"order", backwards()}});
  const auto& classes = checkpoint.add("lm_head.classes.weight", {3, kHidden});
  const auto& words = checkpoint.add("lm_head.words.weight", {kVocab, kHidden});
  CHECK_FALSE(checkpoint.converted().has_tensor("output.2.bias"));
  const auto& class_bias = checkpoint.add("lm_head.classes.bias", {3});
  const auto& bias = checkpoint.add("lm_head.words.bias", {kVocab});
  CHECK(must(checkpoint.convert()).head == "classes");
  const Gguf file = must(Gguf::open_whole(checkpoint.output()));
  CHECK(kind_of(file) == "adaptive");
  CHECK(integers_of(file, "partita.head.cutoffs") == std::vector<std::int32_t>{0, 3, 203});
  CHECK(integers_of(file, "partita.vocabulary.order") == backwards());
  CHECK(values_of(file, "output.weight", {3, kHidden}) == classes);
  CHECK(values_of(file, "output.bias", {3}) == class_bias);
  const std::uint64_t firsts[] = {0, 3, 203}, sizes[] = {3, 200, 60};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string out = "output." + std::to_string(i);
    CHECK(values_of(file, out + ".weight", {sizes[i], kHidden}) ==
          rows_of(words, firsts[i], sizes[i], kHidden));
    CHECK(values_of(file, out + ".bias", {sizes[i]}) == rows_of(bias, firsts[i], sizes[i], 1));
  }
  check_generates(checkpoint, "adaptive");
}

TEST_CASE("A tree of words") {
  Checkpoint checkpoint;
  std::vector<std::int32_t> children = {-1, -2};  // words 0 and 1; node i then has node i - 1 and word i + 1
  for (std::int32_t i = 1; i + 1 < std::int32_t{C::kVocab}; ++i)
    children.insert(children.end(), {i - 1, -1 - (i + 1)});
  checkpoint.set_head({{"kind", "tree"}, {"children", children}});
  const auto& nodes = checkpoint.add("lm_head.nodes.weight", {kVocab - 1, kHidden});
  const auto& bias = checkpoint.add("lm_head.nodes.bias", {kVocab - 1});
  const Gguf file = checkpoint.converted();
  CHECK(kind_of(file) == "tree");
  CHECK(integers_of(file, "partita.head.children") == children);
  CHECK(values_of(file, "output.weight", {kVocab - 1, kHidden}) == nodes);
  CHECK(values_of(file, "output.bias", {kVocab - 1}) == bias);
  check_generates(checkpoint, "tree");
}

TEST_CASE("A mixture of softmaxes") {
  Checkpoint checkpoint;
  checkpoint.set_head({{"kind", "mixture"}});
  const auto& prior = checkpoint.add("lm_head.prior.weight", {3, kHidden});
  const auto& decoder = checkpoint.add("lm_head.decoder.weight", {kVocab, 48});
  const auto& decoder_bias = checkpoint.add("lm_head.decoder.bias", {kVocab});
  for (const std::string name : {"lm_head.latent.0", "lm_head.latent"}) {
    const auto& latent = checkpoint.add(name + ".weight", {3 * 48, kHidden});
    const auto& bias = checkpoint.add(name + ".bias", {3 * 48});
    const Gguf file = checkpoint.converted();
    CHECK(kind_of(file) == "mixture");
    CHECK(values_of(file, "output.prior.weight", {3, kHidden}) == prior);
    CHECK(values_of(file, "output.latent.weight", {3 * 48, kHidden}) == latent);
    CHECK(values_of(file, "output.latent.bias", {3 * 48}) == bias);
    CHECK(values_of(file, "output.weight", {kVocab, 48}) == decoder);
    CHECK(values_of(file, "output.bias", {kVocab}) == decoder_bias);
    CHECK_FALSE(file.has_tensor("output.prior.bias"));
    checkpoint.tensors.erase(name + ".weight");
    checkpoint.tensors.erase(name + ".bias");
  }
  // Words shared with the embedding are in the file twice, once under each name.
  checkpoint.config["tie_word_embeddings"] = true;
  checkpoint.tensors.erase("lm_head.decoder.weight");
  checkpoint.add("lm_head.latent.0.weight", {3 * kHidden, kHidden});
  const auto& prior_bias = checkpoint.add("lm_head.prior.bias", {3});
  const Gguf tied = checkpoint.converted();
  CHECK(values_of(tied, "output.weight", {kVocab, kHidden}) ==
        checkpoint.tensors.at("model.embed_tokens.weight").values);
  CHECK(values_of(tied, "output.prior.bias", {3}) == prior_bias);
  CHECK_FALSE(tied.has_tensor("output.latent.bias"));
  check_generates(checkpoint, "mixture");
}

TEST_CASE("A dense head may be named") {
  Checkpoint checkpoint;
  checkpoint.config["partita_head"] = {{"kind", "dense"}};
  const Gguf file = checkpoint.converted();
  CHECK(file.find("partita.head.kind") == nullptr);
  CHECK(file.has_tensor("output.weight"));
}

}  // namespace
}  // namespace partita::internal::testing
