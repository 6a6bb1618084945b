// Confidence of tokens, rules to abstain, counts, explanations.
#include <algorithm>
#include <cmath>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

Request greedy(int n) {
  Request request;
  request.prompt = "hello";
  request.max_tokens = n;
  request.sampling.temperature = 0;
  return request;
}

TEST_CASE("Confidence is of the model's own distribution, whatever the sampling") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Request request = greedy(8);
  request.confidence = true;
  request.logprobs = 2;
  for (const float temperature : {0.0F, 0.3F, 2.0F}) {
    request.sampling.temperature = temperature;
    for (const Token& token : generate_alone(model, request).tokens) {
      REQUIRE(token.confidence);
      CHECK_FALSE(token.unsure);
      const float first = std::exp(token.top[0].second), second = std::exp(token.top[1].second);
      CHECK(std::abs(token.confidence->probability - first) < 1e-6F);
      CHECK(std::abs(token.confidence->margin - (first - second)) < 1e-6F);
      CHECK(token.confidence->entropy > 0);
      CHECK(token.confidence->entropy < std::log(static_cast<float>(model.info().vocab_size)));
    }
  }
  request.confidence = false;
  for (const Token& token : generate_alone(model, request).tokens) CHECK_FALSE(token.confidence);
}

TEST_CASE("A rule ends the answer at the first token that is too unsure, or marks such tokens") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Request request = greedy(20);
  request.confidence = true;
  const Whole free = generate_alone(model, request);
  REQUIRE(free.tokens.size() == 20);
  // A bound that the first tokens meet and a later one does not.
  std::size_t at = 1;
  while (at < 20 && free.tokens[at].confidence->probability >= free.tokens[0].confidence->probability) ++at;
  REQUIRE(at < 20);
  request.abstain.min_probability = free.tokens[0].confidence->probability;

  Session session = must(model.session());
  const Whole cut = pull_all(must(session.generate(request)));
  CHECK(cut.finish == Finish::kAbstain);
  CHECK(name(cut.finish) == "abstain");
  REQUIRE(cut.tokens.size() == at + 1);
  CHECK(cut.tokens.back().unsure);
  CHECK(cut.tokens.back().id == free.tokens[at].id);
  std::string before;
  for (std::size_t i = 0; i < at; ++i) {
    CHECK_FALSE(cut.tokens[i].unsure);
    before += free.tokens[i].text;
  }
  CHECK(cut.text.rfind(before, 0) == 0);  // and what was held back of whole characters
  CHECK(cut.text.size() <= free.text.size());
  CHECK(session.counts().tokens == at + 1);
  CHECK(session.counts().unsure == 1);
  CHECK(session.counts().abstained == 1);
  CHECK(session.counts().bad_rows == 0);

  request.abstain.stops = false;
  const Whole marked = generate_alone(model, request);
  CHECK(marked.ids == free.ids);
  CHECK(marked.finish == Finish::kLength);
  for (const Token& token : marked.tokens) {
    CHECK(token.unsure == (token.confidence->probability < request.abstain.min_probability));
  }
}

TEST_CASE("Margins and entropies stop too, in batches as alone, and are counted") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  for (const AbstainRule& rule : {AbstainRule{.min_margin = 1}, AbstainRule{.max_entropy = 0}}) {
    Request request = greedy(5);
    request.abstain = rule;
    CHECK(generate_alone(model, request).finish == Finish::kAbstain);
    Batch batch = must(model.batch(4));
    for (int i = 0; i < 3; ++i) must(batch.add(request));
    must(batch.add(greedy(5)));
    std::size_t abstained = 0, complete = 0;
    while (batch.running() > 0) {
      std::vector<Batch::Event> events;
      REQUIRE(batch.advance(events));
      for (const Batch::Event& event : events) {
        abstained += event.finish == Finish::kAbstain ? 1 : 0;
        complete += event.finish == Finish::kLength ? 1 : 0;
      }
    }
    CHECK(abstained == 3);
    CHECK(complete == 1);
    CHECK(batch.counts().abstained == 3);
    CHECK(batch.counts().unsure == 3);
    CHECK(batch.counts().tokens == 8);
  }
}

TEST_CASE("Rules outside their limits are refused by name") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  const auto refusal = [&](const AbstainRule& rule) {
    Request request = greedy(1);
    request.abstain = rule;
    const Result<Stream> stream = session.generate(request);
    REQUIRE_FALSE(stream);
    CHECK(stream.error().code == ErrorCode::kInvalidArgument);
    return stream.error().message;
  };
  CHECK(refusal({.min_probability = 1.5F}) ==
        "min_probability is 1.5, but it must be at least 0 (off) and at most 1");
  CHECK(refusal({.min_probability = std::nanf("")}).rfind("min_probability is nan", 0) == 0);
  CHECK(refusal({.min_margin = -1}).rfind("min_margin is -1", 0) == 0);
  CHECK(refusal({.max_entropy = -0.5F}).rfind("max_entropy is -0.5", 0) == 0);
  Request request = greedy(1);
  request.explain = -1;
  CHECK(session.generate(request).error().message == "explain is -1, but it must be 0 (off) or more");
}

TEST_CASE("Explanations come with tokens and change none of them") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Request request = greedy(6);
  request.sampling.temperature = 0.8F;
  request.sampling.top_k = 3;
  const Whole plain = generate_alone(model, request);
  request.explain = 4;
  const Whole explained = generate_alone(model, request);
  CHECK(explained.ids == plain.ids);
  for (std::size_t i = 0; i < plain.tokens.size(); ++i) {
    CHECK_FALSE(plain.tokens[i].explanation);
    REQUIRE(explained.tokens[i].explanation);
    const Explanation& e = *explained.tokens[i].explanation;
    REQUIRE(e.views.size() == 3);
    CHECK(e.views[0].candidates == model.info().vocab_size);
    CHECK(e.views[2].stage == "top_k 3");
    CHECK(e.views[2].candidates == 3);
    CHECK(e.views[2].top.size() == 3);
    const bool drawn_is_shown = std::any_of(e.views[2].top.begin(), e.views[2].top.end(),
                                            [&](const auto& shown) { return shown.first == plain.ids[i]; });
    CHECK(drawn_is_shown);
  }
}

}  // namespace
}  // namespace partita::internal::testing
