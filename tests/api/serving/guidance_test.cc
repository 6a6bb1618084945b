// Classifier-free guidance: two prompts, one answer.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using Ids = std::vector<TokenId>;

Request guided(std::string prompt, std::string negative, float scale, int n = 12) {
  Request request;
  request.prompt = std::move(prompt);
  request.negative_prompt = std::move(negative);
  request.guidance_scale = scale;
  request.max_tokens = n;
  return request;
}

std::vector<double> log_softmax(const std::vector<float>& logits) {
  double sum = 0;
  const double max = *std::max_element(logits.begin(), logits.end());
  for (const float x : logits) sum += std::exp(double{x} - max);
  std::vector<double> out;
  for (const float x : logits) out.push_back(double{x} - max - std::log(sum));
  return out;
}

/// The likeliest token after the guided distribution, by its definition.
TokenId likeliest(Session& session, Ids ids, Ids negative, const Ids& said, double scale) {
  ids.insert(ids.end(), said.begin(), said.end());
  negative.insert(negative.end(), said.begin(), said.end());
  const auto a = log_softmax(must(session.logits(ids, 1))),
             b = log_softmax(must(session.logits(negative, 1)));
  std::vector<double> both;
  for (std::size_t i = 0; i < a.size(); ++i) both.push_back(b[i] + scale * (a[i] - b[i]));
  return static_cast<TokenId>(std::max_element(both.begin(), both.end()) - both.begin());
}

TEST_CASE("A guided answer is what the two distributions make of it, token by token") {
  const ChatModelFile file;
  OpenOptions exact;  // what a token gets there does not depend on being read as prompt or answer
  exact.exact = true;
  const Model model = must(Model::open(file.path(), exact));
  Session session = must(model.session()), other = must(model.session());
  for (const float scale : {0.0F, 0.5F, 3.0F}) {
    for (const char* negative : {"", "x", "another prompt, longer than the first"}) {
      Request request = guided("hello there", negative, scale);
      request.sampling.temperature = 0;
      Stream stream = must(session.generate(request));
      const Ids prompt = stream.prompt_ids();
      const Ids second = *negative == '\0' ? Ids{prompt.back()} : must(model.tokenize(negative));
      const Whole whole = pull_all(std::move(stream));
      REQUIRE_FALSE(whole.ids.empty());
      Ids said;
      for (const TokenId id : whole.ids) {
        CAPTURE(scale, negative, said.size());
        CHECK(id == likeliest(other, prompt, second, said, double{scale}));
        said.push_back(id);
      }
    }
  }
}

TEST_CASE("Guidance of 1 is none, whatever the negative prompt") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  CHECK(generate_alone(model, guided("hello", "abc", 1)).ids ==
        generate_alone(model, guided("hello", "", 1)).ids);
  CHECK(generate_alone(model, guided("hello", "abc", 4)).ids !=
        generate_alone(model, guided("hello", "", 1)).ids);
}

TEST_CASE("A session keeps both prompts, and answers as a fresh one") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  for (const Request& request :
       {guided(long_text(700), long_text(1300), 2), guided(long_text(700), long_text(1300), 2),
        guided(long_text(700) + "x", "short", 2), guided(long_text(700), "", 1), guided(long_text(70), "", 2),
        guided("a", long_text(1300), 3)}) {
    CHECK(pull_all(must(session.generate(request))).ids == generate_alone(model, request).ids);
  }
}

TEST_CASE("Guided requests of a batch are answered as if alone, also when memory fits few of them") {
  const ChatModelFile file;
  const Model free = must(Model::open(file.path()));
  std::vector<Request> requests;
  for (int i = 0; i < 6; ++i) {
    requests.push_back(guided(long_text(100 + 90 * static_cast<std::size_t>(i)),
                              i % 2 == 0 ? "n" : long_text(400), i == 4 ? 1.0F : 1.5F, 40));
    requests.back().sampling.sequence = static_cast<std::uint64_t>(i);
  }
  std::vector<Ids> expected;
  for (const Request& request : requests) expected.push_back(generate_alone(free, request).ids);
  OpenOptions little;
  little.cache_bytes = 20 * 64 * free.info().cache_bytes_per_token;
  for (const OpenOptions& options : {OpenOptions{}, little}) {
    const Model model = must(Model::open(file.path(), options));
    Batch batch = must(model.batch(6));
    for (const Request& request : requests) must(batch.add(request));
    std::vector<Ids> ids(requests.size());
    std::vector<Batch::Event> events;
    for (int step = 0; batch.running() > 0; ++step) {
      REQUIRE(step < 2000);
      REQUIRE(batch.advance(events));
    }
    for (const Batch::Event& event : events) {
      CHECK_FALSE(event.error);
      if (event.token) ids[event.ticket - 1].push_back(event.token->id);
    }
    CHECK(ids == expected);
  }
}

TEST_CASE("A cache that cannot hold both prompts of a request is an error of it, not an endless wait") {
  const ChatModelFile file;
  OpenOptions little;
  little.cache_bytes = 10 * 64 * must(Model::open(file.path())).info().cache_bytes_per_token;
  const Model model = must(Model::open(file.path(), little));
  Session session = must(model.session());
  CHECK(pull_all(must(session.generate(guided(long_text(500), "", 1)))).ids.size() > 0);
  for (const auto& [own, negative] : {std::pair{500, 500}, std::pair{500, 200}, std::pair{100, 600}}) {
    Stream stream = must(session.generate(
        guided(long_text(static_cast<std::size_t>(own)), long_text(static_cast<std::size_t>(negative)), 2)));
    Result<std::optional<Token>> token = stream.next();
    while (token && *token) token = stream.next();
    REQUIRE_FALSE(token);
    CHECK(token.error().code == ErrorCode::kOutOfMemory);
  }
}

TEST_CASE("Guidance out of its limits is refused") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  const auto refusal = [&](const Request& request) { return session.generate(request).error().message; };
  CHECK(refusal(guided("a", "b", -1)) ==
        "guidance_scale is -1, but it must be a number of 0 or more (1: off)");
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    CHECK(refusal(guided("a", "b", bad)).find("guidance_scale is ") == 0);
  }
  Request both = guided("a", "b", 2);
  both.negative_ids = {1};
  CHECK(refusal(both) == "a request has both negative_prompt and negative_ids; give one");
  Request unknown = guided("a", "", 2);
  unknown.negative_ids = {ChatVocabulary::kSize};
  CHECK(refusal(unknown).find("the negative prompt: token 0 is 263") == 0);
  CHECK(refusal(guided("a", long_text(100000), 2)).find("the negative prompt: the prompt has ") == 0);
}

}  // namespace
}  // namespace partita::internal::testing
