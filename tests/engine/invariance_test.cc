// Batch invariance: the bits of a token depend on the model, the instruction set and the history of the
// token; not on threads, on the prompt chunks, or on the other sequences of the batch.
#include <algorithm>
#include <cstring>

#include "tests/catch.h"
#include "tests/engine/runs.h"
#include "tests/engine/tiny_models.h"

using namespace partita;

using namespace partita::internal;
using namespace partita::internal::testing;

namespace {

using Tokens = std::vector<std::int32_t>;
using Hidden = std::vector<float>;

/// Index of the first row that differs, or -1.
int first_difference(const Hidden& a, const Hidden& b, std::size_t hidden_size) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) return static_cast<int>(i / hidden_size);
  }
  return -1;
}

/// A way to process the same tokens.
struct Way {
  int threads;
  std::size_t chunk;
  std::size_t background;
};

std::string describe(const Way& way) {
  return std::to_string(way.threads) + " threads, chunks of " + std::to_string(way.chunk) + ", " +
         std::to_string(way.background) + " background sequences";
}

const std::vector<Way> kAllWays = {{2, 512, 0}, {3, 512, 0}, {1, 1, 0},  {2, 7, 0}, {1, 64, 0},
                                   {2, 100, 0}, {1, 512, 7}, {2, 64, 7}, {2, 1, 7}, {3, 7, 7}};

/// Compares a prompt and an answer, processed every way, with one thread, the whole prompt at once and the
/// answer token by token.
void check_ways(const std::shared_ptr<const Transformer>& model, const Tokens& prompt, const Tokens& answer,
                const std::vector<Way>& ways) {
  const std::size_t hidden_size = model->config().hidden_size;
  Runner alone(model, 1);
  KvSequence sequence = alone.sequence();
  const Hidden prompt_rows = alone.run(sequence, prompt, prompt.size());
  const Hidden answer_rows = alone.run(sequence, answer, 1, Role::kGenerated);
  for (const Way& way : ways) {
    INFO(describe(way));
    Runner runner(model, way.threads, way.background);
    KvSequence other = runner.sequence();
    CHECK(first_difference(prompt_rows, runner.run(other, prompt, way.chunk), hidden_size) == -1);
    CHECK(first_difference(answer_rows, runner.run(other, answer, 1, Role::kGenerated), hidden_size) == -1);
  }
}

/// Several sequences, forks of one prompt, decode in the same step while another prompt is processed.
void check_forks(const std::shared_ptr<const Transformer>& model, const Tokens& prompt) {
  const std::size_t hidden_size = model->config().hidden_size, vocab = model->config().vocab_size;
  constexpr std::size_t kForks = 20, kSteps = 2;
  Runner alone(model, 1), together(model, 2);

  KvSequence parent = together.sequence();
  together.run(parent, prompt, 64);
  std::vector<KvSequence> forks;
  std::vector<Tokens> answers;
  for (std::size_t i = 0; i < kForks; ++i) {
    forks.push_back(parent.fork());
    answers.push_back(random_tokens(kSteps, static_cast<std::uint32_t>(vocab), 100 + i));
  }
  std::vector<Hidden> rows(kForks);
  for (std::size_t s = 0; s < kSteps; ++s) {
    KvSequence newcomer = together.sequence();
    std::vector<Chunk> chunks = {{&newcomer, std::span(prompt).first(33), Role::kPrompt, 0}};
    for (std::size_t i = 0; i < kForks; ++i) {
      chunks.push_back({&forks[i], std::span(answers[i]).subspan(s, 1), Role::kGenerated, 1});
    }
    const Hidden out = together.step(chunks);
    for (std::size_t i = 0; i < kForks; ++i) {
      rows[i].insert(rows[i].end(), out.begin() + static_cast<std::ptrdiff_t>(i * hidden_size),
                     out.begin() + static_cast<std::ptrdiff_t>((i + 1) * hidden_size));
    }
  }
  for (std::size_t i = 0; i < kForks; i += 7) {
    INFO("fork " << i);
    KvSequence single = alone.sequence();
    alone.run(single, prompt, prompt.size());
    CHECK(first_difference(alone.run(single, answers[i], 1, Role::kGenerated), rows[i], hidden_size) == -1);
  }
  // The parent, which shared all its pages with the forks, continues unaffected.
  const Tokens more = random_tokens(5, static_cast<std::uint32_t>(vocab), 99);
  KvSequence single = alone.sequence();
  alone.run(single, prompt, prompt.size());
  CHECK(first_difference(alone.run(single, more, 1, Role::kGenerated),
                         together.run(parent, more, 1, Role::kGenerated), hidden_size) == -1);
}

/// Truncating, releasing pages outside the window and computing fewer rows do not change any bit.
void check_history(const std::shared_ptr<const Transformer>& model, const Tokens& prompt) {
  const std::size_t hidden_size = model->config().hidden_size;
  Runner runner(model, 2);
  KvSequence sequence = runner.sequence();
  const Hidden expected = runner.run(sequence, prompt, prompt.size());
  const auto rows_from = [&](std::size_t first) {
    return Hidden(expected.begin() + static_cast<std::ptrdiff_t>(first * hidden_size), expected.end());
  };

  const std::size_t half = prompt.size() / 2;
  sequence.truncate(half);
  runner.run(sequence, random_tokens(40, model->config().vocab_size, 5), 9);
  sequence.truncate(half);
  CHECK(first_difference(rows_from(half), runner.run(sequence, std::span(prompt).subspan(half), 11),
                         hidden_size) == -1);

  KvSequence released = runner.sequence();
  std::size_t last_rows = 0;
  for (std::size_t at = 0; at < prompt.size(); at += 13) {
    const auto piece = std::span(prompt).subspan(at, std::min<std::size_t>(13, prompt.size() - at));
    last_rows = std::min<std::size_t>(2, piece.size());
    const Hidden out = runner.step({{&released, piece, Role::kPrompt, last_rows}});
    const auto first =
        expected.begin() + static_cast<std::ptrdiff_t>((at + piece.size() - last_rows) * hidden_size);
    CHECK(std::memcmp(out.data(), &*first, out.size() * sizeof(float)) == 0);
    released.release_unseen();
  }
}

template <class F>
void for_each_arithmetic(const Gguf& file, const TinySpec& spec, F body) {
  const auto run = [&](const LoadOptions& options) { body(load(file, with_attention(spec, options))); };
  for (const Isa isa : engine_isas()) {
    INFO("instruction set " << name(isa));
    run({.threads = 2, .isa = isa});
  }
  INFO("values in 8 bits");
  run({.threads = 2, .cache = KvType::kF16I8});
  INFO("exact");
  run({.threads = 2, .exact = true});
}

}  // namespace

TEST_CASE("Tiny models: the same bits every way", "[slow]") {
  for (const Dtype dtype : {Dtype::kQ4_1, Dtype::kQ8_0}) {
    for (const TinySpec& spec : tiny_specs(dtype)) {
      INFO(describe(spec));
      const TinyFile file(spec);
      const Tokens prompt = random_tokens(150, spec.vocab, 1), answer = random_tokens(6, spec.vocab, 2);
      for_each_arithmetic(file.gguf(), spec,
                          [&](const auto& model) { check_ways(model, prompt, answer, kAllWays); });
    }
  }
}

TEST_CASE("Tiny models: the same bits every way, with biases", "[slow]") {
  const TinySpec spec = tiny_qwen(2, Dtype::kQ8_0);
  const TinyFile file(spec);
  const Tokens prompt = random_tokens(150, spec.vocab, 1), answer = random_tokens(6, spec.vocab, 2);
  for_each_arithmetic(file.gguf(), spec, [&](const auto& model) {
    check_ways(model, prompt, answer, {{2, 31, 7}, {1, 100, 0}, {2, 1, 0}});
  });
}

TEST_CASE("Tiny models: other types, fewer ways", "[slow]") {
  for (const Dtype dtype : all_dtypes()) {
    for (const TinySpec& spec : tiny_specs(dtype)) {
      INFO(describe(spec));
      const TinyFile file(spec);
      const Tokens prompt = random_tokens(70, spec.vocab, 3), answer = random_tokens(2, spec.vocab, 4);
      for_each_arithmetic(file.gguf(), spec, [&](const auto& model) {
        check_ways(model, prompt, answer, {{2, 31, 7}});
      });
    }
  }
}

TEST_CASE("Tiny models: forks, truncation and released pages do not change bits") {
  std::vector<TinySpec> specs = tiny_specs(Dtype::kQ5_0);
  specs.push_back(tiny_qwen(2, Dtype::kQ5_0));
  for (const TinySpec& spec : specs) {
    INFO(describe(spec));
    const TinyFile file(spec);
    const Tokens prompt = random_tokens(190, spec.vocab, 5);
    for_each_arithmetic(file.gguf(), spec, [&](const auto& model) {
      check_forks(model, prompt);
      check_history(model, prompt);
    });
  }
}

TEST_CASE("Tiny models: the same bits every way with an attention window and sinks", "[slow]") {
  for (TinySpec spec : tiny_specs(Dtype::kQ4_1)) {
    spec.attention_window = 150;
    spec.attention_sinks = 64;
    INFO(describe(spec));
    const TinyFile file(spec);
    // Sinks in the first span, the window in the second and the third.
    const Tokens prompt = random_tokens(1090, spec.vocab, 8), answer = random_tokens(70, spec.vocab, 9);
    for_each_arithmetic(file.gguf(), spec, [&](const auto& model) {
      const bool slow = model->isa() == Isa::kScalar;
      check_ways(model, prompt, answer,
                 slow ? std::vector<Way>{{2, 64, 7}}
                      : std::vector<Way>{{2, 512, 0}, {2, 1, 0}, {1, 100, 0}, {2, 64, 7}});
      check_forks(model, prompt);
      check_history(model, prompt);
    });
  }
}

TEST_CASE("SmolLM2: the same bits every way", "[smollm2]") {
  const std::string path = find_test_model("SmolLM2-135M-Instruct.Q4_1.gguf");
  INFO("PARTITA_TEST_MODELS or models/ must hold SmolLM2-135M-Instruct.Q4_1.gguf");
  REQUIRE_FALSE(path.empty());
  auto file = Gguf::open(path);
  REQUIRE(file.ok());
  const auto check = [&](const LoadOptions& options) {
    const auto model = load(*file, options);
    const bool slow = model->isa() == Isa::kScalar;
    const Tokens prompt = random_tokens(slow ? 20 : 140, model->config().vocab_size, 6);
    const Tokens answer = random_tokens(slow ? 1 : 3, model->config().vocab_size, 7);
    const std::vector<Way> ways =
        slow ? std::vector<Way>{{2, 7, 0}} : std::vector<Way>{{2, 512, 0}, {1, 7, 0}, {2, 64, 7}};
    check_ways(model, prompt, answer, ways);
  };
  for (const Isa isa : engine_isas()) {
    DYNAMIC_SECTION(name(isa)) { check({.threads = 2, .isa = isa}); }
  }
  SECTION("values in 8 bits") { check({.threads = 2, .cache = KvType::kF16I8}); }
}
