// Scheduling: priorities, fairness, chunked prefill, prefix cache, the cost of waiting and of failing.
#include <algorithm>
#include <limits>

#include "api/serving/step_plan.h"
#include "tests/allocations.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

constexpr double kNoDelayAsked = std::numeric_limits<double>::infinity();

Request request_of(std::string prompt, int max_tokens, int priority = 0) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.priority = priority;
  request.speculation = Speculation::kNever;
  return request;
}

/// A text of n tokens (none of its letters are merged) that shares no prefix with that of another seed.
std::string text(std::size_t n, unsigned seed) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) {
    seed = seed * 1664525 + 1013904223;
    out += "abcdfgijkm"[seed / 65536 % 10];
  }
  return out;
}

/// The step, from 1, in which each ticket (from 1) was complete.
std::vector<int> steps_to_end(Batch& batch, std::size_t tickets) {
  std::vector<int> ends(tickets + 1, 0);
  std::vector<Batch::Event> events;
  for (int step = 1; batch.running() > 0; ++step) {
    REQUIRE(step < 10000);
    events.clear();
    REQUIRE(batch.advance(events));
    for (const Batch::Event& event : events) {
      if (event.error || event.finish != Finish::kNone) ends[event.ticket] = step;
    }
  }
  return ends;
}

TEST_CASE("A request of higher priority runs first, even if it comes later, and changes nothing else") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Batch batch = must(model.batch(1));
  const Request low = request_of(text(100, 1), 30), high = request_of(text(80, 2), 10, 5);
  const Batch::Ticket first = must(batch.add(low));
  std::vector<TokenId> ids[3];
  std::vector<Batch::Event> events;
  std::vector<Batch::Ticket> ended;
  for (int step = 0; batch.running() > 0; ++step) {
    REQUIRE(step < 1000);
    if (step == 7) CHECK(must(batch.add(high)) == 2);
    events.clear();
    REQUIRE(batch.advance(events));
    for (const Batch::Event& event : events) {
      if (event.token) ids[event.ticket].push_back(event.token->id);
      if (event.finish != Finish::kNone) ended.push_back(event.ticket);
    }
  }
  CHECK(ended == std::vector<Batch::Ticket>{2, first});
  CHECK(ids[1] == generate_alone(model, low).ids);
  CHECK(ids[2] == generate_alone(model, high).ids);
}

TEST_CASE("Short prompts overtake a long one, which still gets its part") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  BatchOptions options;
  options.max_sequences = 5;
  options.step_tokens = 64;
  options.most_delay = kNoDelayAsked;
  Batch batch = must(model.batch(options));
  must(batch.add(request_of(text(600, 1), 1)));
  for (unsigned i = 2; i <= 40; ++i) must(batch.add(request_of(text(12, i), 1)));
  const std::vector<int> ends = steps_to_end(batch, 40);
  CHECK(ends[2] == 1);
  CHECK(ends[5] == 1);
  // Four at a time take 48 of 64 rows; the long one gets the other 16 while they come, then all.
  CHECK(ends[40] == 10);
  CHECK(ends[1] <= 10 + (600 - 10 * 16) / 64 + 1);
}

/// Sequences with their caches, and a planner that has learned the cost of steps: 10 ms with three answers,
/// and 1 ms for every prompt row.
struct Planned {
  explicit Planned(const Model& of)
      : model(of.impl()), pool(model.transformer->states(), model.transformer->kv_type(), 0) {
    for (int i = 0; i < 50; ++i) {
      planner.learn({.count = 3}, {}, 10e-3);
      planner.learn({.count = 3}, {.count = 10}, 20e-3);
    }
  }

  /// ready: all but its last token is read.
  void add(std::size_t tokens, bool ready) {
    caches.push_back(std::make_unique<KvSequence>(pool));
    const unsigned seed = static_cast<unsigned>(caches.size());
    sequences.push_back(std::make_unique<Sequence>(
        must(Sequence::create(model, request_of(text(tokens, seed), 9), *caches.back()))));
    if (!ready) return;
    REQUIRE(caches.back()->reserve(tokens - 1));
    caches.back()->advance(tokens - 1);
  }

  /// How many ids of each the next step reads.
  std::vector<std::size_t> rows() {
    std::vector<Sequence*> all;
    for (const auto& sequence : sequences) all.push_back(sequence.get());
    std::vector<PlannedChunk> chunks;
    std::vector<Outcome> outcomes;
    Timing timing;
    planner.plan(all, timing, chunks, outcomes);
    std::vector<std::size_t> counts(all.size(), 0);
    for (const PlannedChunk& chunk : chunks) counts[chunk.index] += chunk.count;
    return counts;
  }

  const LoadedModel& model;
  KvPool pool;
  StepPlanner planner{{.max_sequences = 8, .most_delay = 2.5}, 4, kStepRows, false};
  std::vector<std::unique_ptr<KvSequence>> caches;
  std::vector<std::unique_ptr<Sequence>> sequences;
};

TEST_CASE("Prompts share the prefill time of a step with answers, and a long one always gets some") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Planned few(model), many(model);
  for (Planned* planned : {&few, &many}) {
    for (int i = 0; i < 3; ++i) planned->add(20, true);
    planned->add(600, false);
  }
  // 15 ms are a fourth for each: three prompts of three tokens are read whole, the long one gets the rest.
  for (int i = 0; i < 3; ++i) few.add(3, false);
  std::vector<std::size_t> rows = few.rows();
  CHECK(std::vector(rows.begin(), rows.begin() + 3) == std::vector<std::size_t>{1, 1, 1});
  CHECK(rows[3] >= 4);
  CHECK(rows[3] <= 7);
  CHECK(std::vector(rows.begin() + 4, rows.end()) == std::vector<std::size_t>{3, 3, 3});
  // Forty tokens are more than a part: the first prompt in order is read on, though it is long.
  for (int i = 0; i < 3; ++i) many.add(40, false);
  rows = many.rows();
  CHECK(rows[3] >= 13);
  CHECK(rows[3] <= 16);
  CHECK(rows[4] <= 1);
}

TEST_CASE("Answers with guidance end, however few rows a step has") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  BatchOptions options;
  options.max_sequences = 1;
  options.step_tokens = 1;
  CHECK(model.batch(options).error().message ==
        "step_tokens is 1; it must be 2 (the sequences, or 2) to 512");
  options.max_sequences = 3;
  options.step_tokens = 3;
  Batch batch = must(model.batch(options));
  Request request = request_of(text(10, 1), 6);
  request.guidance_scale = 1.5F;
  for (int i = 0; i < 3; ++i) must(batch.add(request));
  for (const int end : steps_to_end(batch, 3)) CHECK(end < 200);
}

TEST_CASE("A prompt of higher priority is read while answers could take every row") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  BatchOptions options;
  options.max_sequences = 3;
  options.step_tokens = 4;
  Batch batch = must(model.batch(options));
  Request guided = request_of(text(10, 1), 100);
  guided.guidance_scale = 1.5F;
  std::vector<Batch::Event> events;
  for (int i = 0; i < 2; ++i) must(batch.add(guided));
  for (int step = 0; step < 30; ++step) REQUIRE(batch.advance(events));
  must(batch.add(request_of(text(20, 2), 3, 1)));
  const std::vector<int> ends = steps_to_end(batch, 3);
  CHECK(ends[3] < 30);
  CHECK(ends[1] > ends[3]);
}

TEST_CASE("Running answers get a token in every step while a long prompt is read in chunks") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  BatchOptions options;
  options.max_sequences = 4;
  options.step_tokens = 32;
  Batch batch = must(model.batch(options));
  for (unsigned i = 1; i <= 3; ++i) must(batch.add(request_of(text(5, i), 40)));
  std::vector<Batch::Event> events;
  REQUIRE(batch.advance(events));
  must(batch.add(request_of(text(700, 9), 1)));
  bool read = false;
  for (int step = 0; step < 39; ++step) {
    events.clear();
    REQUIRE(batch.advance(events));
    const auto of_answers =
        std::count_if(events.begin(), events.end(), [](const Batch::Event& e) { return e.ticket <= 3; });
    CHECK(of_answers == 3);
    read = read || events.size() > 3;
  }
  CHECK(batch.running() == (read ? 0 : 1));
}

TEST_CASE("A prefix that many prompts share is read once") {
  for (const bool gemma : {false, true}) {
    ChatFile what;
    if (gemma) what.spec = tiny_gemma3(Dtype::kQ8_0);
    const ChatModelFile file(what);
    const Model model = must(Model::open(file.path()));
    Batch batch = must(model.batch(8));
    const std::string system = text(300, 7);
    for (unsigned i = 1; i <= 24; ++i) must(batch.add(request_of(system + text(10, i), 3)));
    steps_to_end(batch, 24);
    // 300 once; each later prompt reads at most the last, partial page (300 % 64) and its own tokens.
    CHECK(batch.timing().prefill_tokens + batch.timing().shared_tokens == 24 * 310);
    CHECK(batch.timing().prefill_tokens <= 310 + 23 * (300 % 64 + 10));

    BatchOptions alone;
    alone.prefix_bytes = 0;
    Batch unshared = must(model.batch(alone));
    for (unsigned i = 1; i <= 24; ++i) must(unshared.add(request_of(system + text(10, i), 3)));
    steps_to_end(unshared, 24);
    CHECK(unshared.timing().prefill_tokens == 24 * 310);
    CHECK(unshared.timing().shared_tokens == 0);
  }
}

TEST_CASE("A conversation that continues reads only new tokens, though its attention window has moved on") {
  ChatFile what;
  what.spec = tiny_gemma3(Dtype::kQ8_0);
  const ChatModelFile file(what);
  const Model model = must(Model::open(file.path()));
  Batch batch = must(model.batch(2));
  std::string conversation = text(250, 3);
  std::size_t read = 0;
  for (int turn = 0; turn < 4; ++turn) {
    const Request request = request_of(conversation, 8);
    must(batch.add(request));
    std::vector<Batch::Event> events;
    std::string answer;
    while (batch.running() > 0) {
      REQUIRE(batch.advance(events));
    }
    for (const Batch::Event& event : events) answer += event.token ? event.token->text : "";
    CHECK(answer == generate_alone(model, request).text);
    if (turn > 0) CHECK(batch.timing().prefill_tokens - read < 64 + 64);
    read = batch.timing().prefill_tokens;
    conversation += text(60, 100 + static_cast<unsigned>(turn));
  }
}

TEST_CASE("A prompt can be cancelled while it is read") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  BatchOptions options;
  options.max_sequences = 2;
  options.step_tokens = 16;
  Batch batch = must(model.batch(options));
  const Request kept = request_of(text(50, 1), 5);
  const Batch::Ticket long_one = must(batch.add(request_of(text(700, 2), 5)));
  const Batch::Ticket other = must(batch.add(kept));
  std::vector<Batch::Event> events;
  for (int step = 0; step < 3; ++step) REQUIRE(batch.advance(events));
  batch.cancel(long_one);
  CHECK(batch.running() == 1);
  std::vector<TokenId> ids;
  while (batch.running() > 0) REQUIRE(batch.advance(events));
  for (const Batch::Event& event : events) {
    CHECK(event.ticket == other);
    if (event.token) ids.push_back(event.token->id);
  }
  CHECK(ids == generate_alone(model, kept).ids);
}

TEST_CASE("A thousand requests that wait cost little more than their ids") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Batch batch = must(model.batch(4));
  const Request request = request_of(text(600, 1), 100);
  must(batch.add(request));
  const test::AllocationWatch watch;
  for (int i = 0; i < 1000; ++i) must(batch.add(request));
  const std::size_t each = watch.peak_bytes() / 1000;
  INFO(each << " bytes each, for " << 600 * sizeof(TokenId) << " bytes of ids");
  CHECK(each < 600 * sizeof(TokenId) + 4096);
}

TEST_CASE("A request beyond the budget fails alone and at once, with the figure it needed") {
  const ChatModelFile file;
  OpenOptions open;
  open.cache_bytes = 4 * 64 * 256;
  const Model model = must(Model::open(file.path(), open));
  Batch batch = must(model.batch(4));
  const Request small = request_of("hello", 4), large = request_of(text(400, 1), 4);
  must(batch.add(small));
  const Batch::Ticket second = must(batch.add(large));
  must(batch.add(small));
  std::vector<Batch::Event> events;
  REQUIRE(batch.advance(events));
  const auto failed =
      std::find_if(events.begin(), events.end(), [&](const auto& e) { return e.ticket == second; });
  REQUIRE(failed != events.end());
  REQUIRE(failed->error.has_value());
  CHECK(failed->error->message == "the prompt of 400 tokens takes " + std::to_string(7 * 64 * 256) +
                                      " bytes of KV cache, and its budget is " +
                                      std::to_string(4 * 64 * 256));
  while (batch.running() > 0) REQUIRE(batch.advance(events));
  CHECK(std::count_if(events.begin(), events.end(),
                      [](const auto& e) { return e.finish == Finish::kLength; }) == 2);
}

TEST_CASE("An answer that outgrows the budget fails alone, with the figure it needed") {
  const ChatModelFile file;
  OpenOptions open;
  open.cache_bytes = 2 * 64 * 256;
  const Model model = must(Model::open(file.path(), open));
  Batch batch = must(model.batch(4));
  const Batch::Ticket grows = must(batch.add(request_of(text(100, 1), 200)));
  const Batch::Ticket fits = must(batch.add(request_of("hello", 20)));
  std::vector<Batch::Event> events;
  while (batch.running() > 0) REQUIRE(batch.advance(events));
  const auto last_of = [&](Batch::Ticket ticket) {
    return *std::find_if(events.rbegin(), events.rend(), [&](const auto& e) { return e.ticket == ticket; });
  };
  REQUIRE(last_of(grows).error.has_value());
  CHECK(last_of(grows).error->message.find("they take 16384 bytes, and 32768 of its 32768") !=
        std::string::npos);
  CHECK(last_of(fits).finish == Finish::kLength);
}

TEST_CASE("Options of a batch have limits") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  BatchOptions few;
  few.step_tokens = 8;
  CHECK(model.batch(few).error().message == "step_tokens is 8; it must be 16 (the sequences, or 2) to 512");
  BatchOptions hasty;
  hasty.most_delay = 0.5;
  CHECK(model.batch(hasty).error().message == "most_delay is 0.5; it must be at least 1");
}

}  // namespace
}  // namespace partita::internal::testing
