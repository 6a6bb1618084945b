// Continuous batching through the public interface: every request gets the answer that it gets alone.
#include <map>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

/// The answer or the error of one request of a batch.
struct BatchAnswer {
  std::vector<TokenId> ids;
  std::string text;
  std::optional<Error> error;
  Finish finish = Finish::kNone;
};
using BatchAnswers = std::map<Batch::Ticket, BatchAnswer>;

void record(const std::vector<Batch::Event>& events, BatchAnswers& answers) {
  for (const Batch::Event& event : events) {
    BatchAnswer& answer = answers[event.ticket];
    CHECK_FALSE(answer.error.has_value());
    CHECK(answer.finish == Finish::kNone);
    if (event.token) {
      answer.ids.push_back(event.token->id);
      answer.text += event.token->text;
    }
    answer.error = event.error;
    answer.finish = event.finish;
  }
}

BatchAnswers run_all(Batch& batch) {
  BatchAnswers answers;
  std::vector<Batch::Event> events;
  for (int steps = 0; batch.running() > 0; ++steps) {
    REQUIRE(steps < 100000);
    events.clear();
    const auto done = batch.advance(events);
    REQUIRE(done);
    record(events, answers);
  }
  return answers;
}

/// Requests of different lengths, samplers and ends.
std::vector<Request> mixed_requests() {
  std::vector<Request> requests;
  for (int i = 0; i < 12; ++i) {
    Request request;
    request.prompt = std::string(static_cast<std::size_t>(1 + 97 * i % 640), static_cast<char>('a' + i));
    request.max_tokens = 5 + 7 * i % 31;
    request.sampling.seed = static_cast<std::uint64_t>(i % 3);
    request.sampling.sequence = static_cast<std::uint64_t>(i);
    request.sampling.temperature = i % 4 == 0 ? 0.0F : 1.0F;
    request.sampling.top_k = i % 5 == 0 ? 10 : 0;
    requests.push_back(std::move(request));
  }
  return requests;
}

TEST_CASE("A request's answer does not depend on batch composition") {
  for (const bool gemma : {false, true}) {
    ChatFile what;
    if (gemma) what.spec = tiny_gemma3(Dtype::kQ8_0);
    const ChatModelFile file(what);
    const Model model = must(Model::open(file.path()));
    const std::vector<Request> requests = mixed_requests();
    for (const std::size_t sequences : {1, 3, 12}) {
      Batch batch = must(model.batch(sequences));
      std::vector<Batch::Ticket> tickets;
      for (const Request& request : requests) tickets.push_back(must(batch.add(request)));
      BatchAnswers answers = run_all(batch);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const Whole alone = generate_alone(model, requests[i]);
        CHECK(answers[tickets[i]].ids == alone.ids);
        CHECK(answers[tickets[i]].text == alone.text);
        CHECK(answers[tickets[i]].finish == alone.finish);
      }
      CHECK(batch.timing().prefill_tokens > 0);
    }
  }
}

TEST_CASE("A small budget of memory delays requests and changes nothing else") {
  const ChatModelFile file;
  const std::vector<Request> requests = mixed_requests();
  const Model roomy = must(Model::open(file.path()));
  OpenOptions options;
  options.cache_bytes = 12 * 64 * 256;  // twelve pages; the longest request alone takes eleven
  const Model model = must(Model::open(file.path(), options));
  Batch batch = must(model.batch(8));
  std::vector<Batch::Ticket> tickets;
  for (const Request& request : requests) tickets.push_back(must(batch.add(request)));
  BatchAnswers answers = run_all(batch);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CHECK_FALSE(answers[tickets[i]].error.has_value());
    CHECK(answers[tickets[i]].ids == generate_alone(roomy, requests[i]).ids);
  }
}

TEST_CASE("A request that can never fit fails alone") {
  const ChatModelFile file;
  OpenOptions options;
  options.cache_bytes = 4 * 64 * 256;
  const Model model = must(Model::open(file.path(), options));
  Batch batch = must(model.batch(4));
  Request small, large;
  small.prompt = "hello";
  small.max_tokens = 4;
  large.prompt = std::string(400, 'x');
  const Batch::Ticket first = must(batch.add(small)), second = must(batch.add(large)),
                      third = must(batch.add(small));
  BatchAnswers answers = run_all(batch);
  CHECK(answers[first].ids.size() == 4);
  REQUIRE(answers[second].error.has_value());
  CHECK(answers[second].error->code == ErrorCode::kOutOfMemory);
  CHECK(answers[third].ids == answers[first].ids);
}

TEST_CASE("A wrong request is refused and the others go on") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  CHECK(model.batch(0).error().code == ErrorCode::kInvalidArgument);
  CHECK(model.batch(513).error().code == ErrorCode::kInvalidArgument);
  Batch batch = must(model.batch(2));
  Request good, bad;
  good.prompt = "hello";
  good.max_tokens = 3;
  bad.ids = {-1};
  const Batch::Ticket ticket = must(batch.add(good));
  CHECK(batch.add(bad).error().code == ErrorCode::kInvalidArgument);
  CHECK(run_all(batch)[ticket].ids.size() == 3);
}

TEST_CASE("Requests that want no tokens are complete at once") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Batch batch = must(model.batch(2));
  Request none;
  none.prompt = "hello";
  none.max_tokens = 0;
  const Batch::Ticket ticket = must(batch.add(none));
  const BatchAnswers answers = run_all(batch);
  CHECK(answers.at(ticket).finish == Finish::kLength);
  CHECK(answers.at(ticket).ids.empty());
}

TEST_CASE("Requests can be cancelled one by one, and steps all together") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Batch batch = must(model.batch(2));
  CancelFlag cancel;
  batch.set_cancel(&cancel);
  Request request;
  request.prompt = std::string(600, 'x');
  request.max_tokens = 10;
  const Batch::Ticket kept = must(batch.add(request));
  const Batch::Ticket dropped = must(batch.add(request)), waiting = must(batch.add(request));
  CHECK(batch.full());
  std::vector<Batch::Event> events;
  cancel.set();
  CHECK(batch.advance(events).error().code == ErrorCode::kCancelled);
  CHECK(events.empty());
  CHECK(batch.running() == 3);
  cancel.clear();
  REQUIRE(batch.advance(events));
  batch.cancel(dropped);
  batch.cancel(waiting);
  CHECK(batch.running() == 1);
  CHECK_FALSE(batch.full());
  BatchAnswers answers;
  record(events, answers);
  const BatchAnswers rest = run_all(batch);
  REQUIRE(rest.size() == 1);
  CHECK(rest.at(kept).finish == Finish::kLength);
}

}  // namespace
}  // namespace partita::internal::testing
