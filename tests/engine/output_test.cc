// Embeddings in bands and output weights (LM heads) of all kinds: loading and refusing.
#include <cmath>
#include <functional>
#include <numeric>

#include "engine/model.h"
#include "engine/output.h"
#include "tests/catch.h"
#include "tests/engine/tiny_models.h"
#include "tests/head_writer.h"
#include "weights/codecs/codec.h"

namespace partita::internal::testing {
namespace {

constexpr std::size_t kVocab = 64, kHidden = 32;

using Words = std::vector<std::int32_t>;

struct Loaded {
  std::vector<std::byte> bytes;
  PanelArena arena;
  Embedding embedding;
  OutputWeights output;
  Result<void> result;
};

/// Loads a file that `write` fills: the embedding if there is one, then the output.
std::unique_ptr<Loaded> load_from(const std::function<void(GgufWriter&)>& write) {
  auto loaded = std::make_unique<Loaded>();
  GgufWriter writer;
  write(writer);
  auto bytes = writer.bytes();
  INFO((bytes ? "" : bytes.error().message));
  REQUIRE(bytes);
  loaded->bytes = *std::move(bytes);
  const auto file = Gguf::parse(loaded->bytes, "head.gguf");
  REQUIRE(file);
  TensorLoader tensors(*file, loaded->arena, 1);
  if (file->find("partita.embedding.cutoffs") != nullptr || file->has_tensor("token_embd.weight")) {
    loaded->result = load_embedding(tensors, kVocab, kHidden, loaded->embedding);
    if (!loaded->result) return loaded;
  }
  loaded->result = load_output(tensors, kVocab, kHidden, loaded->embedding, loaded->output);
  return loaded;
}

void matrix(GgufWriter& file, const std::string& name, std::size_t rows, std::size_t cols) {
  file.add_tensor(name, Dtype::kF32, {rows, cols},
                  std::span<const std::byte>(random_blocks(Dtype::kF32, rows, cols, rows)));
}

void vector(GgufWriter& file, const std::string& name, std::size_t size) {
  file.add_tensor(name, Dtype::kF32, {size},
                  std::span<const std::byte>(random_blocks(Dtype::kF32, 1, size, size)));
}

/// An adaptive head whose cutoffs, order and second projection can be made invalid.
struct Adaptive {
  Words cutoffs = {10, 30};
  Words order = {};
  std::size_t width = 8, root_rows = 12;
  bool words = true;

  void operator()(GgufWriter& file) const {
    file.add("partita.head.kind", "adaptive").add("partita.head.cutoffs", cutoffs);
    if (!order.empty()) file.add("partita.vocabulary.order", order);
    matrix(file, "output.weight", root_rows, kHidden);
    matrix(file, "output.0.weight", 20, kHidden);
    matrix(file, "output.1.proj.weight", width, kHidden);
    if (words) matrix(file, "output.1.weight", 34, 8);
  }
};

Words identity() {
  Words ids(kVocab);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

std::string error_of(const std::function<void(GgufWriter&)>& write) {
  const auto loaded = load_from(write);
  REQUIRE_FALSE(loaded->result);
  return loaded->result.error().message;
}

TEST_CASE("A dense output may have a bias, and then no screen") {
  const auto plain = load_from([](GgufWriter& file) { matrix(file, "output.weight", kVocab, kHidden); });
  REQUIRE(plain->result);
  CHECK(plain->output.root.bias.empty());
  CHECK(plain->output.screen_refusal().empty());
  plain->output.softcap = 30;
  CHECK(plain->output.screen_refusal() ==
        "a soft cap of its logits, and only logits without one are screened");

  const auto biased = load_from([](GgufWriter& file) {
    matrix(file, "output.weight", kVocab, kHidden);
    vector(file, "output.bias", kVocab);
  });
  REQUIRE(biased->result);
  CHECK(biased->output.root.bias.size() == kVocab);
  CHECK(biased->output.screen_refusal() == "a bias of its logits, and only logits without one are screened");
  const auto short_bias = load_from([](GgufWriter& file) {
    matrix(file, "output.weight", kVocab, kHidden);
    vector(file, "output.bias", kVocab - 1);
  });
  CHECK_FALSE(short_bias->result);
}

TEST_CASE("An adaptive output is read by its keys and shapes") {
  const auto loaded = load_from(Adaptive{});
  INFO((loaded->result ? "" : loaded->result.error().message));
  REQUIRE(loaded->result);
  const OutputWeights& w = loaded->output;
  CHECK(w.kind == OutputKind::kAdaptive);
  CHECK(w.shortlist == 10);
  REQUIRE(w.clusters.size() == 2);
  CHECK(w.clusters[0].begin == 10);
  CHECK(w.clusters[0].projection.weight.rows == 0);
  CHECK(w.clusters[1].begin == 30);
  CHECK(w.clusters[1].projection.weight.rows == 8);
  CHECK(w.clusters[1].words.weight.rows == 34);
  CHECK(w.id_of.empty());
  CHECK(w.bytes() == w.root.bytes() + w.clusters[0].words.bytes() + w.clusters[1].projection.bytes() +
                         w.clusters[1].words.bytes());
}

TEST_CASE("Outputs that are not what they say are refused with one sentence") {
  const auto adaptive = [](auto change) {
    Adaptive a;
    change(a);
    return error_of(a);
  };
  CHECK(adaptive([](Adaptive& a) { a.cutoffs = {}; }) ==
        "'head.gguf': partita.head.cutoffs is empty, and must have a cutoff");
  CHECK(adaptive([](Adaptive& a) {
          a.cutoffs = {10, 10};
        }) == "'head.gguf': partita.head.cutoffs[1] is 10, and must be above the 10 before it");
  CHECK(adaptive([](Adaptive& a) {
          a.cutoffs = {10, 64};
        }) == "'head.gguf': partita.head.cutoffs[1] is 64, and must be between 0 and 63");
  CHECK(adaptive([](Adaptive& a) {
          a.cutoffs = {-1, 30};
        }) == "'head.gguf': partita.head.cutoffs[0] is -1, and must be between 0 and 63");
  CHECK(adaptive([](Adaptive& a) {
          a.order = {0, 1};
        }) == "'head.gguf': partita.vocabulary.order has 2 elements, and the vocabulary has 64 words");
  CHECK(adaptive([](Adaptive& a) { a.order = identity(), a.order[5] = 2; }) ==
        "'head.gguf': partita.vocabulary.order[5] is 2, which is already at rank 2");
  CHECK(adaptive([](Adaptive& a) { a.order = identity(), a.order[5] = 64; }) ==
        "'head.gguf': partita.vocabulary.order[5] is 64, and must be between 0 and 63");
  CHECK_THAT(adaptive([](Adaptive& a) { a.root_rows = 11; }), Catch::Matchers::Contains("output.weight"));
  CHECK_THAT(adaptive([](Adaptive& a) { a.width = 9; }), Catch::Matchers::Contains("output.1.weight"));
  CHECK_THAT(adaptive([](Adaptive& a) { a.words = false; }), Catch::Matchers::Contains("output.1.weight"));
  CHECK(error_of([](GgufWriter& f) { f.add("partita.head.kind", "quantum"); }) ==
        "'head.gguf': partita.head.kind is 'quantum', and must be dense, adaptive, tree or mixture");
  CHECK_THAT(error_of([](GgufWriter& f) { f.add("partita.head.kind", 3u); }),
             Catch::Matchers::Contains("partita.head.kind"));
  CHECK_THAT(error_of([](GgufWriter& f) { f.add("partita.head.kind", "adaptive"); }),
             Catch::Matchers::Contains("partita.head.cutoffs"));
  CHECK_THAT(error_of([](GgufWriter& f) { f.add("partita.head.kind", "mixture"); }),
             Catch::Matchers::Contains("output.prior.weight"));
}

/// A degenerate tree: node i has word i + 1 and node i - 1.
Words comb() {
  Words children = {-1, -2};
  for (std::int32_t node = 1; node + 1 < static_cast<std::int32_t>(kVocab); ++node) {
    children.push_back(node - 1);
    children.push_back(-2 - node);
  }
  return children;
}

std::string tree_error(const std::function<void(Words&)>& change) {
  Words children = comb();
  change(children);
  return error_of([&](GgufWriter& file) {
    file.add("partita.head.kind", "tree").add("partita.head.children", children);
    matrix(file, "output.weight", kVocab - 1, kHidden);
  });
}

TEST_CASE("A tree has every word and every node but the root once, children before parents") {
  CHECK(load_from([](GgufWriter& file) {
          file.add("partita.head.kind", "tree").add("partita.head.children", comb());
          matrix(file, "output.weight", kVocab - 1, kHidden);
        })->result);
  CHECK(tree_error([](Words& c) { c[7] = -1; }) ==
        "'head.gguf': partita.head.children[7] is -1, which is a child already");
  CHECK(tree_error([](Words& c) { c[6] = 0; }) ==
        "'head.gguf': partita.head.children[6] is 0, which is a child already");
  CHECK(tree_error([](Words& c) { c[6] = 3; }) ==
        "'head.gguf': partita.head.children[6] is 3, and must be below its parent's 3");
  CHECK(tree_error([](Words& c) { c[6] = -65; }) ==
        "'head.gguf': partita.head.children[6] is -65, and must be between -64 and 62");
  CHECK(tree_error([](Words& c) { c.pop_back(); }) ==
        "'head.gguf': partita.head.children has 125 elements, and 64 words take 126");
}

TEST_CASE("Words of a cluster may be those of the embedding's band") {
  const auto with_bands = [](std::size_t second) {
    return load_from([&](GgufWriter& file) {
      Adaptive head;
      head.words = false;
      head(file);
      file.add("partita.embedding.cutoffs", Words{10, static_cast<std::int32_t>(second)});
      matrix(file, "token_embd.0.weight", 10, kHidden);
      matrix(file, "token_embd.1.weight", second - 10, 16);
      matrix(file, "token_embd.1.proj.weight", kHidden, 16);
      matrix(file, "token_embd.2.weight", kVocab - second, 8);
      matrix(file, "token_embd.2.proj.weight", kHidden, 8);
    });
  };
  const auto tied = with_bands(30);
  INFO((tied->result ? "" : tied->result.error().message));
  REQUIRE(tied->result);
  CHECK(tied->output.clusters[1].words.weight.storage == tied->embedding.bands[2].rows.storage);
  const auto other = with_bands(31);  // other ranks
  REQUIRE_FALSE(other->result);
  CHECK_THAT(other->result.error().message, Catch::Matchers::Contains("output.1.weight"));
}

TEST_CASE("An embedding in bands is the projection of the word's own row") {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kQ8_0}) {
    const test::HeadSpec spec{"adaptive", dtype, kVocab, kHidden};
    GgufWriter writer;
    test::add_head(spec, writer);
    test::add_bands(spec, writer);
    const auto bytes = *writer.bytes();
    const auto file = Gguf::parse(bytes, "bands.gguf");
    REQUIRE(file);
    PanelArena arena;
    TensorLoader tensors(*file, arena, 1);
    Embedding embedding;
    REQUIRE(load_embedding(tensors, kVocab, kHidden, embedding));
    CHECK(embedding.table() == nullptr);
    CHECK(*count_words(*file, kHidden) == kVocab);
    const auto values_of = [&](const std::string& name) {
      const TensorView* t = file->find_tensor(name);
      REQUIRE(t != nullptr);
      std::vector<float> values(t->shape.elements());
      codec(t->dtype).dequantize(t->bytes.data(), values.size(), values.data());
      return std::pair(values, static_cast<std::size_t>(t->shape[1]));
    };
    const GgufArray* order = *file->get_array("partita.vocabulary.order");
    const std::size_t begins[] = {0, kVocab / 5, kVocab / 2, kVocab};
    std::vector<float> found(kHidden), spare(kHidden);
    for (std::size_t place = 0; place < kVocab; ++place) {
      std::size_t band = 0;
      while (place >= begins[band + 1]) ++band;
      const std::string name = "token_embd." + std::to_string(band);
      const auto [rows, width] = values_of(name + ".weight");
      const auto [projection, inner] = values_of(name + ".proj.weight");
      REQUIRE(width == inner);
      embedding.row(static_cast<std::uint32_t>(*order->int_at(place)), found.data(), spare.data());
      for (std::size_t h = 0; h < kHidden; ++h) {
        double sum = 0;
        for (std::size_t c = 0; c < width; ++c) {
          sum += static_cast<double>(projection[h * width + c]) *
                 static_cast<double>(rows[(place - begins[band]) * width + c]);
        }
        CHECK(std::abs(static_cast<double>(found[h]) - sum) < 1e-5);
      }
    }
  }
}

TEST_CASE("Bands that do not fit are refused") {
  const auto error = [](Words cutoffs, std::size_t width) {
    return error_of([&](GgufWriter& file) {
      file.add("partita.embedding.cutoffs", cutoffs);
      matrix(file, "token_embd.0.weight", 10, kHidden);
      matrix(file, "token_embd.1.weight", kVocab - 10, width);
      matrix(file, "token_embd.1.proj.weight", kHidden, width);
    });
  };
  CHECK(error({0, 10}, 8) == "'head.gguf': partita.embedding.cutoffs[0] is 0, and must be between 1 and 63");
  CHECK_THAT(error({11}, 8), Catch::Matchers::Contains("token_embd.0.weight"));
  CHECK(error({10}, 33) == "'head.gguf': token_embd.1.weight has 33 columns, and the hidden size is 32");
  CHECK(error({10}, 8) ==
        "'head.gguf': there is no output.weight, and an adaptive embedding cannot be used in its place");
  CHECK_THAT(error({10, 20}, 8), Catch::Matchers::Contains("token_embd.1.weight"));
}

}  // namespace
}  // namespace partita::internal::testing
