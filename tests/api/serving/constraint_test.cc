// Constraints and the stages that know the vocabulary, through the public interface.
#include <algorithm>
#include <stdexcept>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using V = ChatVocabulary;
using Texts = std::vector<std::string>;

Model open_default(const ChatModelFile& file) { return must(Model::open(file.path())); }

/// Allows the ids from `first` to `last`, and after `end_after` tokens the end of the answer alone.
class Between : public Constraint {
 public:
  Between(TokenId first, TokenId last, std::size_t end_after)
      : first_(first), last_(last), end_after_(end_after) {}
  void allow(std::span<std::uint64_t> allowed) const override {
    if (fails_at_ == accepted_) throw std::runtime_error("out of words");
    for (TokenId id = 0; id < V::kSize; ++id) {
      const bool may = accepted_ == end_after_ ? id == V::kEnd : id >= first_ && id <= last_;
      if (!may) allowed[static_cast<std::size_t>(id) / 64] &= ~(std::uint64_t{1} << (id % 64));
    }
  }
  void accept(TokenId) override { ++accepted_; }
  void roll_back(std::size_t tokens) override { accepted_ -= tokens; }
  std::unique_ptr<Constraint> fork() const override { return std::make_unique<Between>(*this); }
  Between& failing_at(std::size_t token) {
    fails_at_ = token;
    return *this;
  }

 private:
  TokenId first_, last_;
  std::size_t end_after_, accepted_ = 0, fails_at_ = static_cast<std::size_t>(-1);
};

Request request_with(std::shared_ptr<const Constraint> constraint, std::string prompt = "hello") {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = 20;
  request.constraint = std::move(constraint);
  return request;
}

TEST_CASE("An answer is what its constraint allows, and ends where it says so") {
  const ChatModelFile file;
  const Model model = open_default(file);
  REQUIRE(std::find(model.end_ids().begin(), model.end_ids().end(), V::kEnd) != model.end_ids().end());
  const Request request = request_with(std::make_shared<Between>('a', 'f', 9));
  for (int twice = 0; twice < 2; ++twice) {  // the prototype is not used up
    const Whole whole = generate_alone(model, request);
    CHECK(whole.ids.size() == 10);
    CHECK(whole.finish == Finish::kEos);
    CHECK(whole.text.size() == 9);
    CHECK(whole.text.find_first_not_of("abcdef") == std::string::npos);
  }
}

TEST_CASE("Requests of a batch have their own constraints, and one that throws ends its own alone") {
  const ChatModelFile file;
  const Model model = open_default(file);
  auto failing = std::make_shared<Between>('a', 'z', 15);
  failing->failing_at(4);
  const std::vector<Request> requests = {
      request_with(std::make_shared<Between>('a', 'f', 9)), request_with(failing),
      request_with(std::make_shared<Between>('0', '9', 5)), request_with({})};
  Batch batch = must(model.batch(4));
  for (const Request& request : requests) must(batch.add(request));
  std::vector<std::vector<TokenId>> ids(4);
  std::vector<Batch::Event> events;
  while (batch.running() > 0) REQUIRE(batch.advance(events));
  std::vector<std::string> errors;
  for (const Batch::Event& event : events) {
    if (event.token) ids[event.ticket - 1].push_back(event.token->id);
    if (event.error) errors.push_back(std::to_string(event.ticket) + ": " + event.error->message);
  }
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].find("2: ") == 0);
  CHECK(errors[0].find("the constraint failed: out of words") != std::string::npos);
  CHECK(ids[1].size() == 4);
  for (const std::size_t i : {0U, 2U, 3U}) CHECK(ids[i] == generate_alone(model, requests[i]).ids);
}

TEST_CASE("Options that speak of texts know the model's tokens") {
  const ChatModelFile file;
  const Model model = open_default(file);
  CHECK(*model.text('x') == "x");
  CHECK(*model.text(V::kHello) == "hello");
  CHECK(model.text(V::kEnd)->empty());
  CHECK(model.text(-1)->empty());
  CHECK(model.text(V::kSize)->empty());

  // Letters alone, for bytes that are no text show as something else.
  Request request = request_with(std::make_shared<Between>('a', 'z', 1000));
  request.max_tokens = 200;
  const std::string free = generate_alone(model, request).text;
  REQUIRE(free.size() == 200);
  // Whatever two characters in a row it said, it is not to say again.
  Texts banned;
  for (std::size_t i = 0; i + 2 <= free.size(); i += 3) banned.push_back(free.substr(i, 2));
  REQUIRE(request.sampling.set("banned_strings", banned));
  const std::string other = generate_alone(model, request).text;
  CHECK(other != free);
  CHECK_FALSE(other.empty());
  for (const std::string& text : banned) CHECK(other.find(text) == std::string::npos);
}

TEST_CASE("An answer has its minimum of tokens") {
  const ChatModelFile file;
  const Model model = open_default(file);
  Request request = request_with({});
  const std::vector<std::pair<TokenId, float>> eager = {{V::kEnd, 1000.0F}};
  REQUIRE(request.sampling.set("logit_bias", eager));
  CHECK(generate_alone(model, request).ids.size() == 1);
  REQUIRE(request.sampling.set("min_tokens", 7.0));
  const Whole whole = generate_alone(model, request);
  CHECK(whole.ids.size() == 8);
  CHECK(whole.finish == Finish::kEos);
  const std::vector<std::pair<TokenId, float>> unknown = {{V::kSize, 1.0F}};
  REQUIRE(request.sampling.set("logit_bias", unknown));
  Session session = must(model.session());
  CHECK(session.generate(request).error().message.find("an id of logit_bias is 263") == 0);
}

}  // namespace
}  // namespace partita::internal::testing
