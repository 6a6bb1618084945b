// Guidance of rows against transformers' processor, and in the dense head.
#include "sampling/chain/guidance.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/kernels/dispatch.h"
#include "sampling/heads/heads.h"
#include "sampling/softmax/softmax.h"
#include "tests/catch.h"
#include "tests/packed.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Json = nlohmann::json;

TEST_CASE("Guided rows are those of transformers") {
  const Json oracle = Json::parse(read_data("sampling/history.json"));
  REQUIRE(oracle["guidance"].size() == 3 * 4 * 4);
  for (const NamedKernels& k : all_kernels()) {
    for (const Json& record : oracle["guidance"]) {
      CAPTURE(k.name, record.dump());
      const std::uint64_t seed = record["seed"];
      const std::size_t vocab = record["vocab"];
      if (vocab > 1000 && k.name != all_kernels().back().name) continue;
      std::vector<float> p = row("normal", seed + 1, vocab);
      REQUIRE(guide(row(record["kind"].get<std::string>(), seed, vocab), p, record["scale"], *k.kernels));
      REQUIRE(softmax(p, p, *k.kernels));
      std::istringstream told(record["told"].get<std::string>());
      std::int32_t best = -1;
      double p_best = 0, p_some = 0, mean = 0;
      told >> best >> p_best >> p_some >> mean;
      // A logit is a float: the larger, the coarser.
      const auto check = [](double found, double expected) {
        CHECK(std::abs(found / expected - 1) < 1e-6 - 6e-8 * std::log(expected));
      };
      if (best >= 0) {
        CHECK(std::max_element(p.begin(), p.end()) - p.begin() == best);
        check(double{p[static_cast<std::size_t>(best)]}, p_best);
      }
      const std::vector<std::int32_t> left = support_of(p);
      check(double{p[static_cast<std::size_t>(left[seed % left.size()])]}, p_some);
      double sum = 0;
      for (const std::int32_t id : left) sum += std::log(double{p[static_cast<std::size_t>(id)]});
      CHECK(sum / static_cast<double>(left.size()) == Approx(mean).margin(1e-5));
    }
  }
}

TEST_CASE("An id that either prompt masks is masked, and errors name the bad row") {
  std::vector<float> other = {1, -kInf, 2, 3};
  REQUIRE(guide(std::vector<float>{-kInf, 1, 2, 3}, other, 2, exact_kernels()));
  CHECK(other[0] == -kInf);
  CHECK(other[1] == -kInf);
  CHECK(std::isfinite(other[2]));
  std::vector<float> bad = {0, std::nanf("")}, good = {0, 1};
  CHECK(guide(good, bad, 2, exact_kernels())
            .error()
            .message.find("after the negative prompt: the logit of id 1") == 0);
  CHECK(guide(std::vector<float>{kInf, 0}, good, 2, exact_kernels())
            .error()
            .message.find("the logit of id 0") == 0);
  std::vector<float> far = {-3e38F, 3e38F};
  REQUIRE(guide(std::vector<float>{3e38F, -3e38F}, far, 100, exact_kernels()));
  CHECK((std::isfinite(far[0]) && std::isfinite(far[1]) && far[0] > far[1]));
}

TEST_CASE("The head answers guided questions in a batch as if each were alone") {
  constexpr std::size_t kVocab = 301, kHidden = 64, kQuestions = 37;
  for (const NamedKernels& k : all_kernels()) {
    const std::vector<float> weights = row("normal", 1, kVocab * kHidden);
    std::vector<std::byte> bytes(weights.size() * sizeof(float));
    std::memcpy(bytes.data(), weights.data(), bytes.size());
    const OwnedMatrix matrix = pack(Dtype::kF32, kVocab, kHidden, bytes);
    const auto head = make_dense_head(matrix, *k.kernels);
    const Result<Chain> chain = Chain::create({{"temperature", 1.5}, {"top_p", 0.95}});
    std::vector<float> hidden = row("normal", 2, 2 * kQuestions * kHidden);
    for (float& x : hidden) x *= 0.1F;
    std::vector<Question> questions(kQuestions);
    for (std::size_t q = 0; q < kQuestions; ++q) {
      questions[q].hidden = hidden.data() + 2 * q * kHidden;
      if (splitmix64(q) % 3 != 0) questions[q].negative = questions[q].hidden + kHidden;
      questions[q].guidance_scale = 1.5F;
      questions[q].chain = &*chain;
      questions[q].key = {7, q, 3};
      questions[q].chosen_logprob = true;
    }
    for (const int threads : {1, 3}) {
      const auto scratch = head->make_scratch(kQuestions, threads), alone = head->make_scratch(1, 1);
      std::vector<Result<Answer>> answers(kQuestions, Answer{});
      head->answer(questions, *scratch, answers);
      Candidates candidates;
      for (std::size_t q = 0; q < kQuestions; ++q) {
        CAPTURE(k.name, threads, q);
        std::vector<float> logits(2 * kVocab);
        head->logits(questions[q].hidden, 2, nullptr, *alone, logits.data());
        const std::span<float> own = std::span(logits).first(kVocab), other = std::span(logits).last(kVocab);
        if (questions[q].negative != nullptr) REQUIRE(guide(own, other, 1.5F, *k.kernels));
        const Result<Choice> expected =
            chain->choose(LogitRow(questions[q].negative == nullptr ? own : other),
                          {{}, 0, questions[q].key, k.kernels, nullptr, true}, nullptr, candidates);
        REQUIRE(answers[q]);
        CHECK(answers[q]->choice.id == expected->id);
        CHECK(answers[q]->choice.probability == expected->probability);
        CHECK(answers[q]->logprob ==
              log_partition(own, *k.kernels)->log_probability(own[static_cast<std::size_t>(expected->id)]));
        std::vector<Result<Answer>> single(1, Answer{});
        head->answer({&questions[q], 1}, *alone, single);
        CHECK(single[0]->choice.id == expected->id);
        CHECK(single[0]->choice.probability == expected->probability);
      }
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
