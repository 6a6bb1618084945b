// The whole engine against the plain forward pass of reference_model.h, for every family and every weight
// type.
#include <cmath>

#include "tests/catch.h"
#include "tests/engine/reference_model.h"
#include "tests/engine/runs.h"
#include "tests/engine/tiny_models.h"

using namespace partita;

using namespace partita::internal;
using namespace partita::internal::testing;

namespace {

struct Deviation {
  double largest = 0;
  double rms = 0;
};

template <class T>
Deviation deviation(const std::vector<T>& found, const Doubles& expected) {
  REQUIRE(found.size() == expected.size());
  Deviation d;
  double squares = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double difference = std::abs(static_cast<double>(found[i]) - expected[i]);
    if (std::isnan(difference)) return {INFINITY, INFINITY};
    d.largest = std::max(d.largest, difference);
    squares += difference * difference;
  }
  d.rms = std::sqrt(squares / static_cast<double>(found.size()));
  return d;
}

/// The rounding of the fast paths: keys and values to f16 (half a unit in the last place: at most 2^-11 of
/// the value), activations to 15 bits of the largest of 32, and with tiles both factors of the products of a
/// prompt to bf16.
Rounding allowed_rounding(bool tiles) {
  Rounding r;
  r.cache = 0x1p-11;
  r.group = 0x1p-15;
  if (tiles) r.activations = r.weights = 0x1p-8;
  return r;
}

/// Largest deviation that rounding of that size makes in the reference itself, over two draws.
Deviation rounding_noise(const TinyFile& file, const TinySpec& spec, std::span<const std::int32_t> tokens,
                         const Doubles& expected, Rounding rounding) {
  Deviation worst;
  for (rounding.seed = 1; rounding.seed <= 2; ++rounding.seed) {
    const Deviation d = deviation(reference_forward(file.gguf(), spec, tokens, rounding).logits, expected);
    worst.largest = std::max(worst.largest, d.largest);
    worst.rms = std::max(worst.rms, d.rms);
  }
  return worst;
}

/// The prompt in two chunks, the last tokens one by one as generated ones.
std::vector<float> engine_logits(const std::shared_ptr<const Transformer>& model,
                                 std::span<const std::int32_t> tokens) {
  Runner runner(model, 1);
  KvSequence sequence = runner.sequence();
  const std::size_t prompt = tokens.size() - 4;
  std::vector<float> hidden = runner.run(sequence, tokens.first(prompt), prompt - prompt / 3);
  const std::vector<float> rest = runner.run(sequence, tokens.subspan(prompt), 1, Role::kGenerated);
  hidden.insert(hidden.end(), rest.begin(), rest.end());
  return logits_of(*model, hidden, 1);
}

void check(const TinySpec& spec, std::size_t length) {
  INFO(describe(spec));
  const TinyFile file(spec);
  const auto tokens = random_tokens(length, spec.vocab, 21);
  const Doubles expected = reference_forward(file.gguf(), spec, tokens).logits;
  const Deviation exact =
      deviation(engine_logits(load(file.gguf(), with_attention(spec, {.exact = true})), tokens), expected);
  INFO("exact: " << exact.largest);
  CHECK(exact.largest <= 1e-4);
  const Deviation usual = rounding_noise(file, spec, tokens, expected, allowed_rounding(false));
  for (const Isa isa : engine_isas()) {
    const Deviation found =
        deviation(engine_logits(load(file.gguf(), with_attention(spec, {.isa = isa})), tokens), expected);
    const Deviation noise =
        uses_tiles(isa) ? rounding_noise(file, spec, tokens, expected, allowed_rounding(true)) : usual;
    INFO("instruction set " << name(isa) << ": largest " << found.largest << ", rms " << found.rms
                            << "; by simulated rounding " << noise.largest << ", " << noise.rms);
    CHECK(found.rms <= 1.5 * noise.rms + 1e-6);
    CHECK(found.largest <= 3 * noise.largest + 1e-5);
  }
}

}  // namespace

TEST_CASE("Every family in every type computes what the plain forward pass computes", "[slow]") {
  for (const Dtype dtype : all_dtypes()) {
    for (const TinySpec& spec : tiny_specs(dtype)) check(spec, 70);
  }
}

TEST_CASE("Every option of a Config does what it says") {
  TinySpec spec = tiny_llama(Dtype::kQ8_0);
  SECTION("separate head") { spec.tied = false; }
  SECTION("frequencies with factors") { spec.rope_factors = true; }
  SECTION("biases of Q, K and V") { spec = tiny_qwen(2, Dtype::kQ8_0); }
  SECTION("norms of queries and keys") { spec = tiny_qwen(3, Dtype::kF16); }
  SECTION("linear scaling") { spec.linear_factor = 4; }
  SECTION("a window on all layers, shorter than a page") { spec.window = 5; }
  SECTION("a window on all layers, longer than a page") { spec.window = 100; }
  SECTION("one head") { spec.heads = spec.kv_heads = 1; }
  SECTION("a KV head for each head") { spec.kv_heads = spec.heads; }
  SECTION("heads of 256, many on one KV head") {
    spec.head_dim = 256;
    spec.heads = 8;
  }
  SECTION("heads of 16 and odd widths") {
    spec.dtype = Dtype::kF32;
    spec.head_dim = 16;
    spec.hidden = 48;
    spec.ffn = 80;
    spec.vocab = 33;
  }
  SECTION("widths that are no whole panels or vectors") {
    spec.dtype = Dtype::kF16;
    spec.head_dim = 18;
    spec.heads = spec.kv_heads = 3;
    spec.hidden = 37;
    spec.ffn = 51;
    spec.vocab = 33;
  }
  SECTION("heads of 8") {
    spec.dtype = Dtype::kBF16;
    spec.head_dim = 8;
    spec.hidden = 24;
  }
  SECTION("heads of 512") {
    spec.head_dim = 512;
    spec.heads = 2;
    spec.kv_heads = 1;
  }
  SECTION("global scaling in gemma3") {
    spec = tiny_gemma3(Dtype::kBF16);
    spec.linear_factor = 8;
    spec.window = 64;
  }
  check(spec, 150);
}

TEST_CASE("An attention window with sinks sees what its definition says", "[slow]") {
  TinySpec spec = tiny_llama(Dtype::kQ8_0);
  std::size_t length = 300;
  const auto limit = [&](std::uint32_t window, std::uint32_t sinks, std::size_t tokens) {
    spec.attention_window = window;
    spec.attention_sinks = sinks;
    length = tokens;
  };
  SECTION("a gap within a span") { limit(40, 64, 300); }
  SECTION("nothing but itself and the sinks") { limit(1, 64, 200); }
  SECTION("no sinks") { limit(30, 0, 200); }
  SECTION("sinks and window in spans apart, one between them") { limit(70, 128, 1200); }
  SECTION("more sinks than a span, a window over several") { limit(600, 576, 1400); }
  SECTION("a window that the text does not fill") { limit(400, 64, 300); }
  SECTION("layers with a window of their own that is wider") {
    spec.window = 100;
    limit(50, 64, 300);
  }
  SECTION("layers with a window of their own that is narrower") {
    spec.window = 50;
    limit(100, 64, 300);
  }
  SECTION("gemma3, whose local layers stay as they are") {
    spec = tiny_gemma3(Dtype::kQ4_1);
    limit(70, 64, 300);
  }
  SECTION("gemma3, whose local layers are narrowed too") {
    spec = tiny_gemma3(Dtype::kQ4_1);
    limit(10, 128, 300);
  }
  check(spec, length);
}

TEST_CASE("Matrices of one layer may have different types, float and quantized ones side by side") {
  TinySpec spec = tiny_llama(Dtype::kQ8_0);
  spec.layers = 3;
  spec.mix = {Dtype::kF16, Dtype::kQ4_1};
  check(spec, 70);
  spec.mix = {Dtype::kQ5_0, Dtype::kF32, Dtype::kQ8_0};
  check(spec, 70);
  spec = tiny_llama(Dtype::kQ6_K);  // as the mixtures of llama-quantize have them, and more
  spec.layers = 4;
  spec.mix = {Dtype::kIQ2_XXS, Dtype::kQ2_K,  Dtype::kIQ4_NL,  Dtype::kQ3_K,  Dtype::kQ5_K,
              Dtype::kIQ1_M,   Dtype::kNVFP4, Dtype::kIQ3_S,   Dtype::kIQ1_S, Dtype::kTQ1_0,
              Dtype::kIQ4_XS,  Dtype::kIQ2_S, Dtype::kIQ2_XS,  Dtype::kQ1_0,  Dtype::kMXFP4,
              Dtype::kQ2_0,    Dtype::kTQ2_0, Dtype::kIQ3_XXS, Dtype::kF16};
  check(spec, 70);
}

TEST_CASE("More query heads on one KV head than a tile of queries holds") {
  TinySpec spec = tiny_llama(Dtype::kF32);
  spec.heads = 2 * kMaxQueryRows + 1;
  spec.head_dim = 16;
  check(spec, 66);
}
