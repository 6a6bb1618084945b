// An attention window with sinks, through the public interface: memory that does not grow, the same answers
// every way, and what cannot be asked for.
#include <cmath>
#include <map>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using Ids = std::vector<TokenId>;

constexpr std::size_t kWindow = 128, kSinks = 64, kContext = 8192;

ChatFile long_chat(bool gemma = false) {
  ChatFile what;
  if (gemma) what.spec = tiny_gemma3(Dtype::kF32);
  what.spec.context = kContext;
  return what;
}

OpenOptions windowed(std::size_t cache_bytes = 0) {
  OpenOptions options;
  options.attention_window = kWindow;
  options.attention_sinks = kSinks;
  options.cache_bytes = cache_bytes;
  return options;
}

Ids some_ids(std::size_t n, std::uint64_t seed = 5) { return random_tokens(n, 256, seed); }

Request continuing(Ids ids, int n) {
  Request request;
  request.ids = std::move(ids);
  request.max_tokens = n;
  REQUIRE(request.sampling.set("min_tokens", static_cast<double>(n)).ok());
  return request;
}

/// The bytes of a number of tokens in the cache.
std::size_t cache_for(const ChatModelFile& file, std::size_t tokens) {
  return tokens * must(Model::open(file.path())).info().cache_bytes_per_token;
}

Whole one_by_batch(const Model& model, const std::vector<Request>& requests, std::size_t which) {
  Batch batch = must(model.batch(requests.size()));
  std::vector<Batch::Ticket> tickets;
  for (const Request& request : requests) tickets.push_back(must(batch.add(request)));
  Whole whole;
  std::vector<Batch::Event> events;
  while (batch.running() > 0) {
    events.clear();
    REQUIRE(batch.advance(events).ok());
    for (const Batch::Event& event : events) {
      if (event.error) throw std::runtime_error(event.error->message);
      if (event.ticket == tickets[which] && event.token) whole.ids.push_back(event.token->id);
    }
  }
  return whole;
}

TEST_CASE("With an attention window a session needs no more memory for a text of any length") {
  const ChatModelFile file(long_chat());
  // The sinks, the window, what a session may go back, a step, and a page where each of them is cut.
  const std::size_t budget = cache_for(file, kSinks + kWindow + 512 + 512 + 3 * 64);
  const Request request = continuing(some_ids(5000), 1500);
  const Model model = must(Model::open(file.path(), windowed(budget)));
  const Whole whole = generate_alone(model, request);
  CHECK(whole.ids.size() == 1500);
  CHECK(whole.ids == generate_alone(must(Model::open(file.path(), windowed())), request).ids);

  OpenOptions full;
  full.cache_bytes = budget;
  const Model without = must(Model::open(file.path(), full));
  Session session = must(without.session());
  Stream stream = must(session.generate(request));
  const auto refused = stream.next();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::kOutOfMemory);
}

TEST_CASE("With an attention window a batch needs no more memory for texts of any length") {
  const ChatModelFile file(long_chat());
  std::vector<Request> requests;
  for (std::size_t i = 0; i < 3; ++i) {
    requests.push_back(continuing(some_ids(3000 + 100 * i, i), 400));
    requests.back().sampling.sequence = i;
  }
  const std::size_t budget = cache_for(file, 3 * (kSinks + kWindow + 512 + 2 * 64));
  const Model model = must(Model::open(file.path(), windowed(budget)));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CHECK(one_by_batch(model, requests, i).ids == generate_alone(model, requests[i]).ids);
  }
}

TEST_CASE("With an attention window prefixes are shared, and the answers are those of one alone") {
  const ChatModelFile file(long_chat(true));
  const Model model = must(Model::open(file.path(), windowed()));
  const Ids prompt = some_ids(1000);
  std::vector<Request> requests;
  for (const std::size_t n : {std::size_t{1000}, std::size_t{100}, std::size_t{700}}) {
    requests.push_back(continuing({prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(n)}, 20));
  }
  Batch batch = must(model.batch(1));  // one after the other
  std::map<Batch::Ticket, Ids> answers;
  std::vector<Batch::Ticket> tickets;
  for (const Request& request : requests) tickets.push_back(must(batch.add(request)));
  std::vector<Batch::Event> events;
  while (batch.running() > 0) REQUIRE(batch.advance(events).ok());
  for (const Batch::Event& event : events) {
    REQUIRE(event.token.has_value());
    answers[event.ticket].push_back(event.token->id);
  }
  CHECK(batch.timing().shared_tokens > 700);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CHECK(answers[tickets[i]] == generate_alone(model, requests[i]).ids);
  }
}

TEST_CASE("A session with an attention window goes back 512 tokens; from farther it reads again") {
  const ChatModelFile file(long_chat());
  const Model model = must(Model::open(file.path(), windowed()));
  const Ids text = some_ids(3000), other = some_ids(40, 6);
  const auto branch = [&](std::size_t at) {
    Ids ids(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at));
    ids.insert(ids.end(), other.begin(), other.end());
    return continuing(ids, 10);
  };
  for (const bool far : {false, true}) {
    Session session = must(model.session());
    pull_all(must(session.generate(continuing(text, 5))));
    const Request request = branch(far ? 2000 : 2600);
    Stream stream = must(session.generate(request));
    CHECK(session.length() == (far ? 0 : 2600));
    must(stream.next());
    CHECK(stream.timing().prefill_tokens == (far ? 2040 : 40));
    CHECK(pull_all(must(session.generate(request))).ids == generate_alone(model, request).ids);
  }
}

TEST_CASE("Searches under an attention window find the same in little memory") {
  const ChatModelFile file(long_chat());
  const std::size_t budget = cache_for(file, kSinks + kWindow + 512 + 512 + 3 * 64 + 4 * 192);
  const Model model = must(Model::open(file.path(), windowed(budget)));
  Session session = must(model.session());
  Request request = continuing(some_ids(4000), 30);
  Search search;
  search.beams = 4;
  const auto best = must(session.search(request, search)).answers.at(0);
  Session roomy = must(must(Model::open(file.path(), windowed())).session());
  CHECK(must(roomy.search(request, search)).answers.at(0).ids == best.ids);
  // The score of the answer is that of the same ids read as a text.
  Ids whole = request.ids;
  whole.insert(whole.end(), best.ids.begin(), best.ids.end());
  const Score score = must(roomy.score(whole));
  double sum = 0;
  for (std::size_t i = request.ids.size(); i < whole.size(); ++i) sum += score.logprobs[i];
  CHECK(sum == Approx(best.sum_logprob).margin(0.02));
}

TEST_CASE("A text within the window scores as without; a longer one differs, and both are told") {
  const ChatModelFile file(long_chat());
  const Model full = must(Model::open(file.path())), limited = must(Model::open(file.path(), windowed()));
  Session a = must(full.session()), b = must(limited.session());
  const Ids ids = some_ids(1000);
  const std::span<const TokenId> within = std::span(ids).first(kWindow);
  CHECK(must(a.score(within)).nll == must(b.score(within)).nll);

  const Score alone = must(b.score(ids)), reference = must(a.score(ids));
  CHECK(std::equal(alone.logprobs.begin() + 1, alone.logprobs.begin() + kWindow,
                   reference.logprobs.begin() + 1));
  CHECK(alone.nll != reference.nll);
  const auto [score, apart] = must(b.score_against(ids, a));
  CHECK(score.nll == alone.nll);
  CHECK(apart.reference_nll == Approx(reference.nll).epsilon(1e-6));
  CHECK(apart.reference_perplexity == Approx(reference.perplexity).epsilon(1e-5));
  CHECK(apart.kl_mean > 0);
  CHECK(std::isnan(must(b.score_against(some_ids(1), a)).second.reference_nll));
}

TEST_CASE("An attention window that cannot be is refused with its name, value and limit") {
  const ChatModelFile file;
  const auto message = [&](std::size_t window, std::size_t sinks) {
    OpenOptions options;
    options.attention_window = window;
    options.attention_sinks = sinks;
    auto model = Model::open(file.path(), options);
    if (model) return std::string();
    CHECK(model.error().code == ErrorCode::kInvalidArgument);
    return model.error().message;
  };
  CHECK(message(16777217, 64) ==
        "attention_window is 16777217; it must be at most 16777216 tokens (0: no window)");
  CHECK(message(100, 100) == "attention_sinks is 100; it must be a multiple of 64, at most 16777216 tokens");
  CHECK(message(100, 16777216 + 64) ==
        "attention_sinks is 16777280; it must be a multiple of 64, at most 16777216 tokens");
  CHECK(message(16777216, 16777216).empty());
  CHECK(message(1, 0).empty());
  CHECK(message(0, 100).empty());  // not looked at
}

}  // namespace
}  // namespace partita::internal::testing
