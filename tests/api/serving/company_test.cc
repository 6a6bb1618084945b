// Answers do not depend on batch composition: each of two hundred requests gets the bytes that it gets alone,
// with random arrivals, preemption, prefix cache, speculative decoding, on one thread and two.
#include <map>
#include <random>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/engine/runs.h"
#include "tests/sanitized.h"

namespace partita::internal::testing {
namespace {

struct Outcome {
  std::vector<TokenId> ids;
  std::string text;
  Finish finish = Finish::kNone;
  bool operator==(const Outcome&) const = default;
};

/// Requests of all kinds: samplers with a history, with state and with neither; prompts with and without a
/// common prefix, short and long ones.
std::vector<Request> mixed_requests(std::size_t count, std::size_t longest) {
  const char* const systems[] = {
      "You are a helpful assistant who answers in one sentence, always. ",
      "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc", ""};
  std::mt19937 random(5);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::vector<Request> requests;
  for (std::size_t i = 0; i < count; ++i) {
    Request request;
    const std::string system = systems[below(3)];
    for (std::size_t n = below(4); n > 0; --n) request.prompt += system;
    const std::size_t own = 1 + (i % 10 == 0 ? below(longest) : below(longest / 8));
    for (std::size_t n = 0; n < own; ++n)
      request.prompt += static_cast<char>('a' + below(i % 3 == 0 ? 2 : 26));
    request.max_tokens = static_cast<int>(1 + below(40));
    Sampling& sampling = request.sampling;
    sampling.seed = below(3);
    sampling.sequence = i;
    sampling.temperature = i % 3 == 0 ? 0.0F : 0.7F + 0.1F * static_cast<float>(below(6));
    if (i % 4 == 1) sampling.top_k = 20;
    if (i % 5 == 1) sampling.top_p = 0.9F;
    if (i % 6 == 1) sampling.min_p = 0.05F;
    if (i % 7 == 1) sampling.repeat_penalty = 1.2F;
    if (i % 11 == 1) REQUIRE(sampling.set("mirostat", 2.0));
    if (i % 13 == 1) REQUIRE(sampling.set("dry_multiplier", 0.8));
    if (i % 8 == 1) request.stop = {"aa", "hello"};
    if (i % 9 == 1) request.guidance_scale = 1.5F;
    request.priority = static_cast<int>(below(3));
    requests.push_back(std::move(request));
  }
  return requests;
}

/// The setup of a batch run.
struct Setup {
  BatchOptions options;
  bool at_random = false;  // requests come while others run
  bool speculate = true;
};

std::vector<Outcome> run(const Model& model, std::vector<Request> requests, const Setup& setup,
                         Timing& timing) {
  Batch batch = must(model.batch(setup.options));
  std::mt19937 random(3);
  std::map<Batch::Ticket, std::size_t> indices;
  std::vector<Outcome> outcomes(requests.size());
  std::vector<Batch::Event> events;
  for (std::size_t next = 0; next < requests.size() || batch.running() > 0;) {
    const std::size_t come = setup.at_random ? random() % 3 : requests.size();
    for (std::size_t n = 0; n < come && next < requests.size(); ++n, ++next) {
      requests[next].speculation = setup.speculate ? Speculation::kAlways : Speculation::kNever;
      indices[must(batch.add(requests[next]))] = next;
    }
    events.clear();
    const auto done = batch.advance(events);
    REQUIRE(done);
    for (const Batch::Event& event : events) {
      Outcome& outcome = outcomes[indices.at(event.ticket)];
      INFO((event.error ? event.error->message : ""));
      REQUIRE_FALSE(event.error.has_value());
      REQUIRE(outcome.finish == Finish::kNone);
      if (event.token) {
        outcome.ids.push_back(event.token->id);
        outcome.text += event.token->text;
      }
      outcome.finish = event.finish;
    }
  }
  timing = batch.timing();
  return outcomes;
}

std::vector<Outcome> run_alone(const Model& model, const std::vector<Request>& requests) {
  std::vector<Outcome> outcomes;
  for (Request request : requests) {
    request.speculation = Speculation::kNever;
    const Whole whole = generate_alone(model, request);
    outcomes.push_back({whole.ids, whole.text, whole.finish});
  }
  return outcomes;
}

void check_same(const std::vector<Outcome>& found, const std::vector<Outcome>& expected) {
  std::size_t different = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) different += found[i] == expected[i] ? 0 : 1;
  CHECK(different == 0);
}

/// One model on one and two threads, also with a cache so small that requests are preempted. page_bytes: of
/// 64 tokens in all layers.
void check_all_setups(const std::string& path, const std::vector<Request>& requests, std::size_t page_bytes,
                      CacheType cache) {
  OpenOptions options;
  options.cache = cache;
  options.threads = 1;
  const std::vector<Outcome> alone = run_alone(must(Model::open(path, options)), requests);
  for (const int threads : {1, 2}) {
    for (const bool tight : {false, true}) {
      options.threads = threads;
      options.cache_bytes = tight ? 30 * page_bytes : 0;
      const Model model = must(Model::open(path, options));
      for (const bool at_random : {false, true}) {
        for (const bool shared : {true, false}) {
          Setup setup;
          setup.options.max_sequences = tight ? 12 : 64;
          setup.options.prefix_bytes = shared ? 64 * page_bytes : 0;
          setup.options.most_delay = at_random ? 2 : 1e9;
          setup.at_random = at_random;
          setup.speculate = shared == at_random;
          Timing timing;
          INFO(threads << " threads" << (tight ? ", tight" : "") << (at_random ? ", at random" : "")
                       << (shared ? ", shared" : ""));
          check_same(run(model, requests, setup, timing), alone);
          CHECK((timing.shared_tokens > 0) == shared);
          CHECK((timing.accepted_tokens > 0) == setup.speculate);
        }
      }
    }
  }
}

TEST_CASE("Many requests get what each would get alone") {
  const ChatModelFile llama;
  // Emulated tiles take four times as long as the kernels of every other table.
  const bool slow = must(Model::open(llama.path())).info().isa == "amx-emulated";
  const std::size_t requests = slow ? 50 : test::all_or<std::size_t>(200, 40);
  check_all_setups(llama.path(), mixed_requests(requests, 600), std::size_t{64} * 256, CacheType::kF16);
  ChatFile what;
  what.spec = tiny_gemma3(Dtype::kQ8_0);  // with windows
  const ChatModelFile gemma(what);
  check_all_setups(gemma.path(), mixed_requests(requests, 600), std::size_t{64} * 2048, CacheType::kI8);
}

/// A quarter of an hour: docs/testing.md says when.
TEST_CASE("Many requests get what each would get alone: SmolLM2", "[.full]") {
  const std::string path = find_test_model("SmolLM2-135M-Instruct.Q4_1.gguf");
  REQUIRE(path != "");
  constexpr std::size_t kPageBytes =
      std::size_t{64} * 30 * 3 * 64 * 2 * 2;  // layers, heads, head_dim, K and V, f16
  check_all_setups(path, mixed_requests(200, 600), kPageBytes, CacheType::kF16);
}

}  // namespace
}  // namespace partita::internal::testing
