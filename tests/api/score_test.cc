// Log-probabilities of given ids, logits, and the distance of two models.
#include <cmath>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using Ids = std::vector<TokenId>;

Ids some_ids(std::size_t n) { return random_tokens(n, ChatVocabulary::kSize, 5); }

double log_probability(std::span<const float> logits, TokenId id) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  return static_cast<double>(logits[static_cast<std::size_t>(id)]) - std::log(sum);
}

TEST_CASE("Scores are the log-softmax of the logits at every position, over chunks and groups of head rows") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  for (const std::size_t n : {1, 2, 33, 512, 513, 700}) {
    const Ids ids = some_ids(n);
    const Score score = must(session.score(ids));
    const std::vector<float> logits = must(session.logits(ids, n));
    const std::size_t vocabulary = model.info().vocab_size;
    REQUIRE(logits.size() == n * vocabulary);
    CHECK(score.ids == ids);
    CHECK(std::isnan(score.logprobs[0]));
    CHECK(score.top1[0] == -1);
    CHECK(score.ranks[0] == 0);
    double sum = 0;
    for (std::size_t i = 1; i < n; ++i) {
      const auto row = std::span<const float>(logits).subspan((i - 1) * vocabulary, vocabulary);
      CHECK(score.logprobs[i] == Approx(log_probability(row, ids[i])).margin(1e-5));
      CHECK(row[static_cast<std::size_t>(score.top1[i])] == *std::max_element(row.begin(), row.end()));
      const float own = row[static_cast<std::size_t>(ids[i])];
      CHECK(score.ranks[i] == 1 + std::count_if(row.begin(), row.end(), [&](float x) { return x > own; }));
      sum -= score.logprobs[i];
    }
    if (n == 1) {
      CHECK(std::isnan(score.nll));
    } else {
      CHECK(score.nll == Approx(sum / static_cast<double>(n - 1)));
      CHECK(score.perplexity == Approx(std::exp(score.nll)));
    }
  }
}

TEST_CASE("logits gives the last positions alone, with the same bits") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  const Ids ids = some_ids(600);
  const std::vector<float> all = must(session.logits(ids, 600));
  for (const std::size_t outputs : {0, 1, 70, 100}) {
    const std::vector<float> last = must(session.logits(ids, outputs));
    CHECK(std::equal(last.begin(), last.end(), all.end() - static_cast<std::ptrdiff_t>(last.size()),
                     all.end()));
    CHECK(last.size() == outputs * model.info().vocab_size);
  }
  CHECK(session.logits(ids, 601).error().code == ErrorCode::kInvalidArgument);
}

TEST_CASE(
    "logits reads only what neither the conversation nor the call before has read, with the same bits") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  std::size_t steps = 0;
  session.set_progress([&](std::size_t, std::size_t) { ++steps; });
  const Ids ids = some_ids(1600);
  const auto logits_of = [&](std::size_t count, std::size_t outputs) {
    steps = 0;
    const auto asked = std::span(ids).first(count);
    const auto logits = must(session.logits(asked, outputs));
    Session fresh = must(model.session());
    CHECK(logits == must(fresh.logits(asked, outputs)));
    return steps;
  };
  CHECK(logits_of(1501, 1) == 3);
  for (const std::size_t count : {1502, 1503, 1504}) CHECK(logits_of(count, 1) == 1);
  CHECK(logits_of(1504, 1) == 1);  // of the last id the hidden state is made again
  CHECK(logits_of(1000, 5) == 1);  // going back
  CHECK(logits_of(1000, 600) == 2);
  CHECK(logits_of(1600, 0) == 0);

  // In the middle of an answer: what it has read is not read again, and it goes on as if nothing had been.
  Request request;
  request.ids.assign(ids.begin(), ids.begin() + 1200);
  request.max_tokens = 6;
  request.sampling.temperature = 0;
  Session alone = must(model.session());
  const Ids expected = pull_all(must(alone.generate(request))).ids;
  Stream stream = must(session.generate(request));
  Ids answer;
  while (auto token = must(stream.next())) {
    answer.push_back(token->id);
    CHECK(logits_of(1200, 1) == 1);
  }
  CHECK(answer == expected);
  Ids more = request.ids;
  more.insert(more.end(), answer.begin(), answer.end());
  steps = 0;
  Session fresh = must(model.session());
  CHECK(must(session.logits(more, 1)) == must(fresh.logits(more, 1)));
  CHECK(steps == 1);
}

TEST_CASE("Scoring leaves the conversation alone") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  Request request;
  request.prompt = "hello";
  request.max_tokens = 8;
  Stream stream = must(session.generate(request));
  must(stream.next());
  const std::size_t held = session.length();
  must(session.score(some_ids(40)));
  CHECK(session.length() == held);
  Whole rest = pull_all(must(session.generate(request)));
  CHECK(rest.ids == generate_alone(model, request).ids);
}

TEST_CASE("A model is at no distance from itself, and at some from another") {
  ChatFile what;
  what.spec = tiny_llama(Dtype::kQ8_0);
  const ChatModelFile file(what);
  what.spec.seed = 2;
  const ChatModelFile other_file(what);
  const Model model = must(Model::open(file.path())), other = must(Model::open(other_file.path()));
  OpenOptions exact_options;
  exact_options.exact = true;
  const Model exact = must(Model::open(file.path(), exact_options));
  Session session = must(model.session());
  const Ids ids = some_ids(530);
  const auto against = [&](const Model& reference) {
    Session its = must(reference.session());
    return must(session.score_against(ids, its));
  };
  const auto [score, same] = against(model);
  CHECK(score.logprobs.size() == ids.size());
  CHECK(score.nll == must(session.score(ids)).nll);
  CHECK(same.kl_mean == 0);
  CHECK(same.kl_max == 0);
  CHECK(same.same_top == 1);
  const auto near = against(exact).second;
  CHECK(near.kl_mean >= 0);
  CHECK(near.kl_mean < 1e-3);
  CHECK(near.same_top > 0.97);
  const auto far = against(other).second;
  CHECK(far.kl_mean > 0.01);
  CHECK(far.kl_max >= far.kl_mean);
  CHECK(far.same_top < 0.5);
}

TEST_CASE("The divergence is Kullback and Leibler's, from the reference") {
  const ChatModelFile file;
  ChatFile what;
  what.spec.seed = 9;
  const ChatModelFile other_file(what);
  const Model model = must(Model::open(file.path())), other = must(Model::open(other_file.path()));
  Session session = must(model.session()), reference = must(other.session());
  const Ids ids = some_ids(5);
  const std::vector<float> q = must(session.logits(ids, 5)), p = must(reference.logits(ids, 5));
  const std::size_t vocabulary = model.info().vocab_size;
  double mean = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const auto p_row = std::span<const float>(p).subspan(i * vocabulary, vocabulary);
    const auto q_row = std::span<const float>(q).subspan(i * vocabulary, vocabulary);
    for (std::size_t v = 0; v < vocabulary; ++v) {
      const double log_p = log_probability(p_row, static_cast<TokenId>(v));
      mean += std::exp(log_p) * (log_p - log_probability(q_row, static_cast<TokenId>(v))) / 5;
    }
  }
  CHECK(must(session.score_against(ids, reference)).second.kl_mean == Approx(mean).epsilon(1e-6));
}

TEST_CASE("What cannot be scored is refused by name") {
  ChatFile what;
  what.spec.context = 64;
  const ChatModelFile file(what);
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  CHECK(session.score({}).error().code == ErrorCode::kInvalidArgument);
  const auto long_text = session.score(some_ids(65));
  REQUIRE_FALSE(long_text);
  CHECK(long_text.error().message.find("65") != std::string::npos);
  CHECK(long_text.error().message.find("64") != std::string::npos);
  CHECK(session.score(Ids{1, 100000}).error().message.find("100000") != std::string::npos);
  CHECK(must(session.score(some_ids(64))).logprobs.size() == 64);
}

}  // namespace
}  // namespace partita::internal::testing
