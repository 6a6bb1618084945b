// LongRoPE and dynamic scaling: how keys are rotated depends on the limit of a request, and on nothing else.
#include <filesystem>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using Ids = std::vector<TokenId>;

constexpr std::size_t kShort = 128, kPrompt = 100;
constexpr int kFew = 20, kMany = 60;  // tokens after the prompt: within the short context, and past it

std::vector<ChatFile> scaled_files() {
  std::vector<ChatFile> files(2);
  for (ChatFile& what : files) what.spec.short_context = kShort;
  files[1].spec.dynamic_factor = 8;
  return files;
}

Request request_of(Ids ids, int tokens) {
  Request request;
  request.ids = std::move(ids);
  request.max_tokens = tokens;
  request.sampling.seed = 3;
  REQUIRE(request.sampling.set("min_tokens", 100.0).ok());  // no EOS
  return request;
}

Ids prompt() { return random_tokens(kPrompt, 256, 6); }

Whole ask(Session& session, const Request& request) { return pull_all(must(session.generate(request))); }

TEST_CASE("A session reads again what was rotated for another limit") {
  for (const ChatFile& what : scaled_files()) {
    INFO("dynamic factor " << what.spec.dynamic_factor);
    const ChatModelFile file(what);
    const Model model = must(Model::open(file.path()));
    const Request few = request_of(prompt(), kFew), many = request_of(prompt(), kMany);
    const Ids short_ids = generate_alone(model, few).ids, long_ids = generate_alone(model, many).ids;
    CHECK(Ids(long_ids.begin(), long_ids.begin() + kFew) != short_ids);  // the factors matter

    Session session = must(model.session());
    CHECK(ask(session, few).ids == short_ids);
    CHECK(ask(session, many).ids == long_ids);
    CHECK(ask(session, few).ids == short_ids);
    Session forked = must(session.fork());
    for (Session* s : {&session, &forked}) {
      Stream again = must(s->generate(few));
      must(again.next());
      CHECK(again.timing().prefill_tokens == 1);  // of the same kind: nothing is read again
    }
    CHECK(ask(forked, many).ids == long_ids);
  }
}

TEST_CASE("Logits and scores depend on their ids alone, not on the conversation") {
  for (const ChatFile& what : scaled_files()) {
    INFO("dynamic factor " << what.spec.dynamic_factor);
    const ChatModelFile file(what);
    const Model model = must(Model::open(file.path()));
    const Ids few = prompt();
    Ids many = few;
    many.insert(many.end(), few.begin(), few.end());
    const auto fresh = [&](const Ids& ids) { return must(must(model.session()).logits(ids, 3)); };
    Session session = must(model.session());
    for (const int tokens : {kFew, kMany}) {
      ask(session, request_of(few, tokens));
      for (const Ids* ids : std::initializer_list<const Ids*>{&few, &many, &many, &few})
        CHECK(must(session.logits(*ids, 3)) == fresh(*ids));
      CHECK(must(session.score(few)).perplexity == must(must(model.session()).score(few)).perplexity);
    }
  }
}

TEST_CASE("Requests of a batch with a common prompt and different limits do not share pages") {
  for (const ChatFile& what : scaled_files()) {
    INFO("dynamic factor " << what.spec.dynamic_factor);
    const ChatModelFile file(what);
    const Model model = must(Model::open(file.path()));
    std::vector<Request> requests;
    for (const int tokens : {kFew, kMany, kMany, kFew}) requests.push_back(request_of(prompt(), tokens));
    Batch batch = must(model.batch(2));  // the last two find the prompts of the first two
    std::vector<Ids> found(requests.size());
    std::vector<Batch::Ticket> tickets;
    for (const Request& request : requests) tickets.push_back(must(batch.add(request)));
    std::vector<Batch::Event> events;
    while (batch.running() > 0) {
      events.clear();
      REQUIRE(batch.advance(events));
      for (const Batch::Event& event : events) {
        REQUIRE_FALSE(event.error);
        const auto which = std::find(tickets.begin(), tickets.end(), event.ticket) - tickets.begin();
        if (event.token) found[static_cast<std::size_t>(which)].push_back(event.token->id);
      }
    }
    for (std::size_t i = 0; i < requests.size(); ++i)
      CHECK(found[i] == generate_alone(model, requests[i]).ids);
  }
}

TEST_CASE("A session file keeps how its keys were rotated") {
  for (const ChatFile& what : scaled_files()) {
    INFO("dynamic factor " << what.spec.dynamic_factor);
    const ChatModelFile file(what);
    const Model model = must(Model::open(file.path()));
    const auto path = std::filesystem::temp_directory_path() / "partita-longrope-session";
    for (const int tokens : {kFew, kMany}) {
      Session first = must(model.session());
      const Whole answer = ask(first, request_of(prompt(), tokens));
      REQUIRE(first.save(path.string()));
      for (const int next : {kFew, kMany}) {
        Session loaded = must(model.session());
        REQUIRE(loaded.load(path.string()));
        Stream stream = must(loaded.generate(request_of(prompt(), next)));
        const auto token = must(stream.next());
        REQUIRE(token);
        CHECK(stream.timing().prefill_tokens == (next == tokens ? 1 : kPrompt));
        CHECK(ask(loaded, request_of(prompt(), next)).ids ==
              generate_alone(model, request_of(prompt(), next)).ids);
      }
    }
    std::filesystem::remove(path);
  }
}

}  // namespace
}  // namespace partita::internal::testing
