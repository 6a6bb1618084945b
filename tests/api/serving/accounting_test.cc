// Counts of pages and tokens, where a wrong count does not change answers: both tracks of guidance, preempted
// requests, the context.
#include <functional>
#include <map>

#include <partita/softmax.hpp>

#include "api/serving/step_plan.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using Ids = std::vector<TokenId>;

constexpr std::size_t kPage = 64 * 256;  // bytes of 64 tokens in the tiny model's cache

Ids some_ids(std::size_t n, std::uint64_t seed) { return random_tokens(n, 256, seed); }

/// A request whose answer has n tokens, unless the context ends it.
Request request_of(std::size_t prompt, std::size_t negative, int n, std::uint64_t seed = 1) {
  Request request;
  request.ids = some_ids(prompt, seed);
  request.max_tokens = n;
  request.speculation = Speculation::kNever;
  REQUIRE(request.sampling.set("min_tokens", 100000.0).ok());
  if (negative == 0) return request;
  request.guidance_scale = 1.5F;
  request.negative_ids = some_ids(negative, seed + 100);
  return request;
}

Model with_pages(const ChatModelFile& file, std::size_t pages) {
  OpenOptions options;
  options.cache_bytes = pages * kPage;
  return must(Model::open(file.path(), options));
}

Batch unshared(const Model& model, std::size_t sequences) {
  BatchOptions options;
  options.max_sequences = sequences;
  options.prefix_bytes = 0;
  return must(model.batch(options));
}

struct Ended {
  Ids ids;
  std::string error;
  Finish finish = Finish::kNone;
};

std::map<Batch::Ticket, Ended> run(Batch& batch, const std::function<void(int)>& before_step = {}) {
  std::map<Batch::Ticket, Ended> ended;
  std::vector<Batch::Event> events;
  for (int step = 0; batch.running() > 0; ++step) {
    REQUIRE(step < 5000);
    if (before_step) before_step(step);
    events.clear();
    REQUIRE(batch.advance(events).ok());
    for (const Batch::Event& event : events) {
      Ended& own = ended[event.ticket];
      if (event.token) own.ids.push_back(event.token->id);
      if (event.error) own.error = event.error->message;
      own.finish = event.finish;
    }
  }
  return ended;
}

TEST_CASE("A preempted request gives up the pages of both tracks") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  const LoadedModel& impl = model.impl();
  KvPool pool(impl.transformer->states(), impl.transformer->kv_type(), 6 * kPage);
  REQUIRE(pool.page_bytes(0) == kPage);
  KvSequence first(pool), own(pool), negative(pool);
  Sequence needy = must(Sequence::create(impl, request_of(200, 0, 9), first));
  Sequence guided = must(Sequence::create(impl, request_of(150, 140, 9), own, &negative));
  for (KvSequence* cache : {&own, &negative}) {
    REQUIRE(cache->reserve(100).ok());
    cache->advance(100);
  }
  REQUIRE(pool.bytes_in_use() == 4 * kPage);
  StepPlanner planner({.max_sequences = 2}, 4, kStepRows, false);
  Sequence* const both[] = {&needy, &guided};
  std::vector<PlannedChunk> chunks;
  std::vector<Outcome> outcomes;
  Timing timing;
  planner.plan(both, timing, chunks, outcomes);
  CHECK(outcomes.empty());
  CHECK(own.length() == 0);
  CHECK(negative.length() == 0);
  REQUIRE(chunks.size() >= 1);
  CHECK(chunks[0].index == 0);
  CHECK(chunks[0].count == 200);
  // What is in use: the four pages of 200 tokens, and what the chunks of the other have reserved.
  std::size_t reserved = 0;
  for (const PlannedChunk& chunk : chunks) reserved += pages_for(chunk.count) * kPage;
  CHECK(pool.bytes_in_use() == reserved);
}

TEST_CASE("A request that can never fit is refused with the sum of both prompts") {
  const ChatModelFile file;
  const Model model = with_pages(file, 8);
  Batch batch = unshared(model, 4);
  const Batch::Ticket large = must(batch.add(request_of(300, 250, 5)));  // 5 and 4 pages
  const Batch::Ticket fits = must(batch.add(request_of(250, 250, 5)));   // 4 and 4
  std::vector<Batch::Event> events;
  REQUIRE(batch.advance(events).ok());
  REQUIRE(events.size() == 1);
  CHECK(events[0].ticket == large);
  REQUIRE(events[0].error.has_value());
  CHECK(events[0].error->message == "the prompt of 550 tokens takes " + std::to_string(9 * kPage) +
                                        " bytes of KV cache, and its budget is " + std::to_string(8 * kPage));
  const auto ended = run(batch);
  CHECK(ended.at(fits).finish == Finish::kLength);
  CHECK(ended.at(fits).ids.size() == 5);
}

TEST_CASE("A request displaced by priority keeps no page of either track") {
  const ChatModelFile file;
  const Model model = with_pages(file, 8), free = must(Model::open(file.path()));
  const Request low = request_of(150, 200, 30, 1);
  Request high = request_of(500, 0, 8, 2);  // eight pages to its end
  high.priority = 1;
  Batch batch = unshared(model, 1);
  const Batch::Ticket first = must(batch.add(low));
  Batch::Ticket second = 0;
  const auto ended = run(batch, [&](int step) {
    if (step == 6) second = must(batch.add(high));
  });
  REQUIRE(second != 0);
  CHECK(ended.at(second).error.empty());
  CHECK(ended.at(second).ids == generate_alone(free, high).ids);
  CHECK(ended.at(first).error.empty());
  CHECK(ended.at(first).ids == generate_alone(free, low).ids);
}

TEST_CASE("With an attention window the pages outside it are released, those of the negative prompt too") {
  ChatFile what;
  what.spec.context = 8192;
  const ChatModelFile file(what);
  constexpr std::size_t kWindow = 128, kSinks = 64;
  OpenOptions options;
  options.attention_window = kWindow;
  options.attention_sinks = kSinks;
  const Request request = request_of(1000, 1500, 900);
  const Ids expected = generate_alone(must(Model::open(file.path(), options)), request).ids;
  REQUIRE(expected.size() == 900);
  // For each track: the sinks, the window, a step, and a partial page for each border.
  options.cache_bytes = 2 * (kSinks + kWindow + 512 + 2 * 64) / 64 * kPage;
  const Model model = must(Model::open(file.path(), options));
  Batch batch = unshared(model, 1);
  const Batch::Ticket ticket = must(batch.add(request));
  const auto ended = run(batch);
  CHECK(ended.at(ticket).error.empty());
  CHECK(ended.at(ticket).ids == expected);
}

TEST_CASE("A token is drawn by the seed, the number of the sequence and how many ids there are before it") {
  const ChatModelFile file;
  OpenOptions exact;  // logits do not depend on the role, prompt or answer
  exact.exact = true;
  const Model model = must(Model::open(file.path(), exact));
  Session session = must(model.session()), other = must(model.session());
  for (std::uint64_t i = 0; i < 3; ++i) {
    Request request = request_of(20 + i, 0, 12, i);
    request.sampling = {};
    request.sampling.seed = 77 + i;
    request.sampling.sequence = 5 * i;
    Ids ids = request.ids;
    for (const TokenId id : pull_all(must(session.generate(request))).ids) {
      const std::vector<float> logits = must(other.logits(ids, 1));
      CHECK(id == must(gumbel_max(logits, {77 + i, 5 * i, ids.size()})));
      ids.push_back(id);
    }
  }
}

TEST_CASE("An answer ends where its longer prompt has filled the context") {
  ChatFile what;
  what.spec.context = 200;
  const ChatModelFile file(what);
  const Model model = must(Model::open(file.path()));
  for (const auto& [own, negative] : {std::pair{10, 150}, std::pair{150, 10}, std::pair{150, 150}}) {
    for (const int n : {-1, 100, 50, 49}) {
      CAPTURE(own, negative, n);
      const Request request =
          request_of(static_cast<std::size_t>(own), static_cast<std::size_t>(negative), n);
      const Whole whole = generate_alone(model, request);
      CHECK(whole.ids.size() == (n == 49 ? 49 : 50));
      CHECK(whole.finish == Finish::kLength);
      Batch batch = unshared(model, 2);
      const Batch::Ticket ticket = must(batch.add(request));
      CHECK(run(batch).at(ticket).ids == whole.ids);
    }
  }
}

}  // namespace
}  // namespace partita::internal::testing
