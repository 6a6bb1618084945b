// LM heads of adaptive softmaxes, trees and mixtures: against PyTorch, against their own full rows, and their
// draws against the distributions they are drawn from.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "engine/kernels/dispatch.h"
#include "engine/output.h"
#include "heads_record.h"
#include "sampling/heads/heads.h"
#include "sampling/softmax/softmax.h"
#include "tests/catch.h"
#include "tests/head_writer.h"
#include "tests/sampling/rows.h"
#include "tests/sanitized.h"

namespace partita::internal::test {
namespace {

const std::string kKinds[] = {"adaptive", "classes", "tree", "mixture"};

/// The output weights of a file, and their memory.
struct OwnedOutput {
  PanelArena arena;
  OutputWeights weights;
};

/// Reads the output weights of a file that may have no other tensors.
std::unique_ptr<OwnedOutput> load_owned(const Gguf& file, std::size_t vocab, std::size_t hidden) {
  auto owned = std::make_unique<OwnedOutput>();
  TensorLoader tensors(file, owned->arena, 1);
  const Result<void> loaded = load_output(tensors, vocab, hidden, Embedding{}, owned->weights);
  INFO((loaded ? "" : loaded.error().message));
  REQUIRE(loaded);
  return owned;
}

std::unique_ptr<OwnedOutput> make_head_weights(const HeadSpec& spec) {
  GgufWriter file;
  add_head(spec, file);
  const auto bytes = file.bytes();
  REQUIRE(bytes);
  const auto parsed = Gguf::parse(*bytes, "head.gguf");
  REQUIRE(parsed);
  return load_owned(*parsed, spec.vocab, spec.hidden);
}

std::vector<float> hidden_of(std::uint64_t seed, std::size_t rows, std::size_t hidden) {
  std::vector<float> values = row("normal", seed, rows * hidden);
  for (float& v : values) v *= 0.5F;
  return values;
}

std::vector<Result<Answer>> ask(const OutputHead& head, std::span<const Question> questions, int threads = 2,
                                std::size_t at_a_time = 24) {
  std::vector<Result<Answer>> answers(questions.size(), Result<Answer>(Answer{}));
  const std::unique_ptr<HeadScratch> scratch = head.make_scratch(at_a_time, threads);
  REQUIRE(scratch != nullptr);
  for (std::size_t i = 0; i < questions.size(); i += at_a_time) {
    const std::size_t n = std::min(at_a_time, questions.size() - i);
    head.answer(questions.subspan(i, n), *scratch, std::span(answers).subspan(i, n));
  }
  return answers;
}

std::vector<float> whole_row(const OutputHead& head, const float* hidden) {
  std::vector<float> out(head.vocab_size(), std::nanf(""));
  const std::unique_ptr<HeadScratch> scratch = head.make_scratch(1, 1);
  head.logits(hidden, 1, nullptr, *scratch, out.data());
  return out;
}

// --- against PyTorch ------------------------------------------------------------------------------

/// Scores and likeliest words of the first `rows` rows.
void check_against_record(const HeadRecord& record, const OutputHead& head, std::size_t rows) {
  const Chain greedy = *Chain::create({{"temperature", 0}});
  const std::vector<float> hidden = record.hidden_rows(0, rows);
  std::vector<Question> questions(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    questions[r].hidden = hidden.data() + r * record.hidden();
    questions[r].chain = &greedy;
    questions[r].score = std::span(record.targets()).subspan(r, 1);
  }
  const auto answers = ask(head, questions);
  double most = 0;
  std::size_t others = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    REQUIRE(answers[r]);
    most = std::max(most, std::abs(static_cast<double>(answers[r]->score[0]) -
                                   static_cast<double>(record.logprobs()[r])));
    others += answers[r]->choice.id == record.predicts()[r] ? 0 : 1;
  }
  CHECK(most < 1e-5);
  CHECK(others == 0);
}

TEST_CASE("Heads are PyTorch's: log-probabilities within 1e-5, the same predictions", "[slow]") {
  for (const std::string name : {"adaptive", "adaptive_bias", "adaptive_xl", "classes", "tree", "mixture"}) {
    const auto record = HeadRecord::open(name);
    REQUIRE(record);
    const auto owned = load_owned(record->file(), record->vocab(), record->hidden());
    for (const NamedKernels& k : all_kernels()) {
      CAPTURE(name, k.name);
      const auto head = make_head(owned->weights, *k.kernels);
      const bool last = k.kernels == all_kernels().back().kernels;
      check_against_record(*record, *head, last ? all_or<std::size_t>(record->rows(), 500) : 300);
      for (std::size_t r = 0; r < record->full_rows(); ++r) {
        const std::vector<float> expected = record->full_row(r);
        const std::vector<float> found = whole_row(*head, record->hidden_row(r).data());
        double most = 0, sum = 0;
        for (std::size_t id = 0; id < expected.size(); ++id) {
          most = std::max(most, std::abs(static_cast<double>(found[id]) - static_cast<double>(expected[id])));
          sum += std::exp(static_cast<double>(found[id]));
        }
        CHECK(most < 1e-5);
        CHECK(std::abs(sum - 1) < 1e-6);
      }
    }
  }
}

// --- against full rows ----------------------------------------------------------------------------

struct NamedChain {
  std::string name;
  Chain chain;
};

std::vector<NamedChain> chains() {
  const auto made = [](const SamplingOptions& options) { return *Chain::create(options); };
  std::vector<NamedChain> all;
  all.push_back({"greedy", made({{"temperature", 0}})});
  all.push_back({"top_k", made({{"temperature", 0.8F}, {"top_k", 40}})});
  all.push_back({"top_k, each as likely", made({{"temperature", 30}, {"top_k", 3}})});
  all.push_back({"top_k of most", made({{"temperature", 1.2F}, {"top_k", 900}})});
  all.push_back({"min_p", made({{"temperature", 0.8F}, {"min_p", 0.05F}})});
  all.push_back({"top_p", made({{"temperature", 0.8F}, {"top_p", 0.9F}})});
  all.push_back({"penalty", made({{"temperature", 0}, {"repeat_penalty", 1.3F}})});
  all.push_back({"counts", made({{"temperature", 0}, {"presence_penalty", 2}, {"frequency_penalty", 0.5}})});
  all.push_back({"penalty, top_k", made({{"repeat_penalty", 1.2F}, {"penalty_last_n", 16}, {"top_k", 12}})});
  all.push_back({"reward", made({{"temperature", 0}, {"repeat_penalty", 0.8F}})});
  all.push_back({"T 1", made({})});
  all.push_back({"T 0.6", made({{"temperature", 0.6F}})});
  all.push_back({"T 1.3", made({{"temperature", 1.3F}})});
  return all;
}

/// Questions of every chain, and the data that they point to.
struct QuestionBatch {
  std::size_t width;
  std::vector<NamedChain> chains = test::chains();
  std::vector<float> hidden;
  std::vector<std::vector<std::int32_t>> histories;
  std::vector<Question> questions;

  QuestionBatch(std::size_t rows, std::size_t vocab, std::size_t hidden_size)
      : width(hidden_size), hidden(hidden_of(8, rows, hidden_size)) {
    for (std::size_t r = 0; r < rows; ++r) histories.push_back(history(r, vocab));
    for (std::size_t r = 0; r < rows; ++r) {
      Question q;
      q.hidden = hidden.data() + r * width;
      q.chain = &chains[r % chains.size()].chain;
      q.key = {99, r, r * r};
      q.history = histories[r];
      questions.push_back(q);
    }
  }
};

bool same(const Answer& a, const Answer& b) {
  return a.choice.id == b.choice.id && a.logprob == b.logprob && a.score == b.score && a.top == b.top;
}

TEST_CASE("A choice from few logits is that of the full row", "[slow]") {
  for (const std::string& kind : kKinds) {
    for (const Dtype dtype : {Dtype::kF32, Dtype::kQ8_0}) {
      const HeadSpec spec{kind, dtype};
      const auto owned = make_head_weights(spec);
      const QuestionBatch batch(180, spec.vocab, spec.hidden);
      for (const NamedKernels& k : all_kernels()) {
        const auto head = make_head(owned->weights, *k.kernels);
        const auto answers = ask(*head, batch.questions);
        for (std::size_t r = 0; r < answers.size(); ++r) {
          const NamedChain& chain = batch.chains[r % batch.chains.size()];
          CAPTURE(kind, name(dtype), k.name, r, chain.name);
          REQUIRE(answers[r]);
          const LogitsNeeded::Kind kind_of_chain = logits_needed(batch.questions[r]).kind;
          if (kind_of_chain == LogitsNeeded::kEach || kind_of_chain == LogitsNeeded::kNucleus)
            continue;  // these heads have their own draws
          const std::vector<float> whole = whole_row(*head, batch.questions[r].hidden);
          Candidates scratch;
          const Question& q = batch.questions[r];
          REQUIRE(answers[r]->choice.id ==
                  chain.chain.choose(whole, {q.history, 0, q.key, k.kernels}, nullptr, scratch)->id);
        }
      }
    }
  }
}

TEST_CASE("Other requests do not change the choice and refer to the model's own distribution") {
  for (const std::string& kind : kKinds) {
    const HeadSpec spec{kind, Dtype::kQ8_0};
    const auto owned = make_head_weights(spec);
    const Kernels& kernels = *all_kernels().back().kernels;
    const auto head = make_head(owned->weights, kernels);
    QuestionBatch batch(90, spec.vocab, spec.hidden);
    const auto plain = ask(*head, batch.questions);
    const std::vector<std::int32_t> score = {0, 17, static_cast<std::int32_t>(spec.vocab) - 1};
    for (const int what : {0, 1, 2, 3, 4}) {
      for (Question& q : batch.questions) {
        q.top = what == 0 ? 7 : 0;
        q.chosen_logprob = what == 1;
        q.explain = what == 2 ? 5 : 0;
        q.confidence = what == 3;
        q.score = what == 4 ? std::span<const std::int32_t>(score) : std::span<const std::int32_t>();
      }
      const auto answers = ask(*head, batch.questions);
      for (std::size_t r = 0; r < answers.size(); ++r) {
        CAPTURE(kind, what, r, batch.chains[r % batch.chains.size()].name);
        REQUIRE(answers[r]);
        const Answer& a = *answers[r];
        REQUIRE(a.choice.id == plain[r]->choice.id);
        const std::vector<float> whole = whole_row(*head, batch.questions[r].hidden);
        const auto close = [&](std::int32_t id, float value) {
          return std::abs(whole[static_cast<std::size_t>(id)] - value) < 1e-5F;
        };
        if (what == 0) {
          REQUIRE(a.top.size() == 7);
          for (const auto& [id, value] : a.top) CHECK(close(id, value));
        }
        if (what == 1) CHECK(close(a.choice.id, a.logprob));
        if (what == 2) CHECK(a.explanation.has_value());
        if (what == 3) {
          const float most = *std::max_element(whole.begin(), whole.end());
          CHECK(std::abs(a.confidence.probability - std::exp(most)) < 1e-5F);
        }
        if (what == 4) {
          for (std::size_t i = 0; i < score.size(); ++i) CHECK(close(score[i], a.score[i]));
        }
        if (what == 1 || what == 2) {
          const Question& q = batch.questions[r];
          std::vector<float> probabilities(spec.vocab);
          Candidates scratch;
          REQUIRE(
              q.chain->distribution(whole, {q.history, 0, q.key, &kernels}, nullptr, scratch, probabilities));
          CHECK(std::abs(a.choice.probability - probabilities[static_cast<std::size_t>(a.choice.id)]) <
                1e-5F);
        }
      }
    }
  }
}

TEST_CASE("A row gets the same answer from every head alone, in a batch and with any number of threads",
          "[slow]") {
  for (const std::string& kind : kKinds) {
    for (const Dtype dtype : {Dtype::kF32, Dtype::kQ8_0}) {
      const HeadSpec spec{kind, dtype};
      const auto owned = make_head_weights(spec);
      QuestionBatch batch(45, spec.vocab, spec.hidden);
      const std::vector<std::int32_t> score = {5, 900};
      for (std::size_t r = 0; r < batch.questions.size(); ++r) {
        if (r % 4 == 0) batch.questions[r].top = 3;
        if (r % 5 == 0) batch.questions[r].score = score;
        if (r % 7 == 0) batch.questions[r].chain = nullptr;
        batch.questions[r].chosen_logprob = r % 3 == 0;
      }
      for (const NamedKernels& k : all_kernels()) {
        CAPTURE(kind, name(dtype), k.name);
        const auto head = make_head(owned->weights, *k.kernels);
        const auto together = ask(*head, batch.questions, 1, 45);
        for (const int threads : {2, 3}) {
          const auto other = ask(*head, batch.questions, threads, 45);
          for (std::size_t r = 0; r < other.size(); ++r) REQUIRE(same(*other[r], *together[r]));
        }
        const auto alone = ask(*head, batch.questions, 2, 1);
        for (std::size_t r = 0; r < alone.size(); ++r) REQUIRE(same(*alone[r], *together[r]));
      }
    }
  }
}

TEST_CASE("An adaptive head reads few of its weights") {
  const HeadSpec spec{"adaptive", Dtype::kF32, 20000, 64};
  const auto owned = make_head_weights(spec);
  const auto head = make_head(owned->weights, *all_kernels().back().kernels);
  const QuestionBatch batch(54, spec.vocab, spec.hidden);
  const auto answers = ask(*head, batch.questions);
  std::size_t less = 0;
  for (std::size_t r = 0; r < answers.size(); ++r) {
    REQUIRE(answers[r]);
    CHECK(answers[r]->head_bytes <= owned->weights.bytes());
    less += answers[r]->head_bytes < owned->weights.bytes() ? 1 : 0;
  }
  CHECK(less > 20);
}

TEST_CASE("The tree's head counts the weights of each answer alone") {
  const HeadSpec spec{"tree", Dtype::kF32};
  const auto owned = make_head_weights(spec);
  const auto head = make_head(owned->weights, *all_kernels().back().kernels);
  const QuestionBatch batch(12, spec.vocab, spec.hidden);
  const auto together = ask(*head, batch.questions, 1, 12);
  for (std::size_t r = 0; r < together.size(); ++r) {
    CAPTURE(r);
    const auto alone = ask(*head, std::span(batch.questions).subspan(r, 1));
    REQUIRE(alone.front());
    CHECK(alone.front()->head_bytes > 0);
    CHECK(together[r]->head_bytes == alone.front()->head_bytes);
  }
}

TEST_CASE("A bad row fails alone in every head") {
  for (const std::string& kind : kKinds) {
    const HeadSpec spec{kind, Dtype::kF32};
    const auto owned = make_head_weights(spec);
    for (const NamedKernels& k : all_kernels()) {
      const auto head = make_head(owned->weights, *k.kernels);
      QuestionBatch batch(54, spec.vocab, spec.hidden);
      const auto good = ask(*head, batch.questions);
      for (std::size_t r = 0; r < 54; r += 5) batch.hidden[r * spec.hidden + r] = std::nanf("");
      const std::vector<std::int32_t> outside = {0, static_cast<std::int32_t>(spec.vocab)}, negative = {-1};
      batch.questions[1].score = outside;
      batch.questions[6].score = negative;
      const auto answers = ask(*head, batch.questions);
      for (std::size_t r = 0; r < 54; ++r) {
        CAPTURE(kind, k.name, r, batch.chains[r % batch.chains.size()].name);
        if (r % 5 == 0) {
          REQUIRE_FALSE(answers[r]);
          CHECK(answers[r].error().code == ErrorCode::kBadNumbers);
        } else if (r == 1 || r == 6) {
          REQUIRE_FALSE(answers[r]);
          CHECK(answers[r].error().code == ErrorCode::kInvalidArgument);
        } else {
          REQUIRE(answers[r]);
          CHECK(answers[r]->choice.id == good[r]->choice.id);
        }
      }
    }
  }
}

// --- draws ----------------------------------------------------------------------------------------

/// Chi-square of draws from one hidden state against the chain's distribution over the full row, with words
/// expected less than five times pooled; as a standard normal (Wilson & Hilferty 1931).
double deviation(const OutputHead& head, const Chain& chain, const Kernels& kernels, const float* hidden,
                 std::size_t draws, std::span<const std::int32_t> history = {}) {
  const std::vector<float> whole = whole_row(head, hidden);
  std::vector<float> probabilities(whole.size());
  Candidates scratch;
  REQUIRE(chain.distribution(whole, {history, 0, {}, &kernels}, nullptr, scratch, probabilities));
  std::vector<Question> questions(draws);
  for (std::size_t i = 0; i < draws; ++i) {
    questions[i].hidden = hidden;
    questions[i].chain = &chain;
    questions[i].key = {5, 3, i};
    questions[i].history = history;
  }
  std::vector<double> seen(whole.size());
  for (const auto& answer : ask(head, questions)) {
    REQUIRE(answer);
    ++seen[static_cast<std::size_t>(answer->choice.id)];
  }
  double square = 0, rare = 0, rare_seen = 0, freedom = -1;
  const auto add = [&](double expected, double found) {
    square += (found - expected) * (found - expected) / expected;
    ++freedom;
  };
  for (std::size_t id = 0; id < whole.size(); ++id) {
    const double expected = static_cast<double>(probabilities[id]) * static_cast<double>(draws);
    if (expected == 0) REQUIRE(seen[id] == 0);
    if (expected >= 5) {
      add(expected, seen[id]);
    } else {
      rare += expected;
      rare_seen += seen[id];
    }
  }
  if (rare >= 5) add(rare, rare_seen);
  if (freedom < 1) return 0;  // one word alone
  const double a = 2 / (9 * freedom);
  return (std::cbrt(square / freedom) - (1 - a)) / std::sqrt(a);
}

TEST_CASE("However low the temperature, a draw is of the likeliest words") {
  const Kernels& kernels = *all_kernels().back().kernels;
  for (const std::string& kind : kKinds) {
    const HeadSpec spec{kind, Dtype::kF32};
    const auto owned = make_head_weights(spec);
    const auto head = make_head(owned->weights, kernels);
    // Some lean to the first cluster, so that it is far likelier than any word of the shortlist.
    constexpr std::size_t kStates = 24;
    std::vector<float> hidden = hidden_of(33, kStates, spec.hidden), lean(spec.hidden);
    unpack_row(owned->weights.root.weight, owned->weights.shortlist, lean.data());
    for (std::size_t r = 0; r < kStates; ++r) {
      const float how_much = static_cast<float>(r % 4);
      for (std::size_t i = 0; i < spec.hidden; ++i) hidden[r * spec.hidden + i] += how_much * lean[i];
    }
    for (const float temperature : {1e-6F, 0.01F, 0.05F}) {
      for (const float top_p : {1.0F, 0.95F}) {
        const Chain chain = *Chain::create({{"temperature", temperature}, {"top_p", top_p}});
        std::vector<Question> questions(kStates);
        for (std::size_t r = 0; r < kStates; ++r) {
          questions[r].hidden = hidden.data() + r * spec.hidden;
          questions[r].chain = &chain;
          questions[r].key = {1, 2, r};
        }
        const auto answers = ask(*head, questions);
        for (std::size_t r = 0; r < kStates; ++r) {
          CAPTURE(kind, chain.describe(), r);
          REQUIRE(answers[r]);
          const std::vector<float> whole = whole_row(*head, questions[r].hidden);
          const float best = *std::max_element(whole.begin(), whole.end());
          CHECK(whole[static_cast<std::size_t>(answers[r]->choice.id)] >= best - 30 * temperature);
        }
      }
    }
  }
}

TEST_CASE("Draws with penalties have the probabilities of the full row", "[slow]") {
  const std::size_t draws = all_or<std::size_t>(8000, 1000);
  const Kernels& kernels = *all_kernels().back().kernels;
  for (const std::string& kind : kKinds) {
    const HeadSpec spec{kind, Dtype::kF32};
    const auto owned = make_head_weights(spec);
    const auto head = make_head(owned->weights, kernels);
    const std::vector<float> hidden = hidden_of(22, 1, spec.hidden);
    // The likeliest words are in the history, some of them often.
    const std::vector<float> whole = whole_row(*head, hidden.data());
    std::vector<std::int32_t> said(spec.vocab);
    std::iota(said.begin(), said.end(), 0);
    const auto likelier = [&](std::int32_t a, std::int32_t b) {
      return whole[static_cast<std::size_t>(a)] > whole[static_cast<std::size_t>(b)];
    };
    std::partial_sort(said.begin(), said.begin() + 24, said.end(), likelier);
    said.resize(24);
    said.insert(said.end(), said.begin(), said.begin() + 5);
    for (const float temperature : {0.5F, 0.8F, 1.0F, 1.3F}) {
      for (const int top_k : {0, 50}) {  // with which few logits are read
        for (const SamplingOptions& penalty :
             {SamplingOptions{{"repeat_penalty", 1.3F}},
              SamplingOptions{{"presence_penalty", 0.5F}, {"frequency_penalty", 0.7F}}}) {
          SamplingOptions options = penalty;
          options.set("temperature", temperature);
          options.set("top_k", top_k);
          const Chain chain = *Chain::create(options);
          CAPTURE(kind, chain.describe());
          const double z = deviation(*head, chain, kernels, hidden.data(), draws, said);
          CHECK(z < 3.5);
          CHECK(z > -3.5);
        }
      }
    }
  }
}

TEST_CASE("Draws have the probabilities of the full softmax, whichever parts are read") {
  const std::size_t draws = all_or<std::size_t>(8000, 1000);
  const Kernels& kernels = *all_kernels().back().kernels;
  for (const std::string& kind : kKinds) {
    const HeadSpec spec{kind, Dtype::kF32};
    const auto owned = make_head_weights(spec);
    const auto head = make_head(owned->weights, kernels);
    const std::vector<float> hidden = hidden_of(21, 2, spec.hidden);
    for (const float temperature : {0.1F, 0.5F, 0.8F, 1.0F, 1.3F}) {
      for (const float top_p : {1.0F, 0.9F, 0.6F}) {
        // Trees and mixtures have their own draws only at temperature 1.
        const bool from_whole_rows = kind == "tree" || kind == "mixture";
        if (from_whole_rows && (temperature != 1 || top_p < 1)) continue;
        const Chain chain = *Chain::create({{"temperature", temperature}, {"top_p", top_p}});
        for (std::size_t r = 0; r < 2; ++r) {
          CAPTURE(kind, chain.describe(), r);
          const double z = deviation(*head, chain, kernels, hidden.data() + r * spec.hidden, draws);
          CHECK(z < 3.5);
          CHECK(z > -3.5);
        }
      }
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
