// Models whose output is no plain matrix, through the public interface.
#include <vector>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/sanitized.h"

namespace partita::internal::testing {
namespace {

ChatFile with_head(const std::string& kind, Dtype dtype = Dtype::kF32) {
  ChatFile what;
  what.spec = tiny_llama(dtype);
  what.head = kind;
  what.bands = kind == "adaptive" || kind == "classes";
  return what;
}

std::vector<Request> requests() {
  std::vector<Request> all;
  for (const float temperature : {0.0F, 0.8F, 1.0F, 1.3F}) {
    for (const float top_p : {1.0F, 0.9F}) {
      for (const int top_k : {0, 30}) {
        Request request;
        request.prompt = "hello " + std::to_string(all.size());
        request.max_tokens = 24;
        request.sampling.temperature = temperature;
        request.sampling.top_p = top_p;
        request.sampling.top_k = top_k;
        request.sampling.seed = all.size();
        if (all.size() % 5 == 4) request.sampling.repeat_penalty = 1.2F;
        all.push_back(request);
      }
    }
  }
  return all;
}

TEST_CASE(
    "Answers of every head are the same alone, in a batch and on two threads, and with all that can be "
    "asked") {
  for (const std::string kind : {"adaptive", "classes", "tree", "mixture"}) {
    for (const Dtype dtype : {Dtype::kF32, Dtype::kQ8_0}) {
      const ChatModelFile file(with_head(kind, dtype));
      OpenOptions options;
      options.threads = 1;
      const Model one = must(Model::open(file.path(), options));
      CHECK(one.info().head == (kind == "classes" ? "adaptive" : kind));
      options.threads = 2;
      const Model two = must(Model::open(file.path(), options));
      std::vector<std::vector<TokenId>> alone;
      for (const Request& request : requests()) alone.push_back(generate_alone(one, request).ids);

      BatchOptions batch_options;
      Batch batch = must(two.batch(batch_options));
      std::vector<std::vector<TokenId>> together(alone.size());
      std::map<Batch::Ticket, std::size_t> indices;
      for (std::size_t i = 0; i < alone.size(); ++i) indices[must(batch.add(requests()[i]))] = i;
      for (std::vector<Batch::Event> events; batch.running() > 0; events.clear()) {
        REQUIRE(batch.advance(events));
        for (const Batch::Event& event : events) {
          REQUIRE_FALSE(event.error.has_value());
          if (event.token) together[indices.at(event.ticket)].push_back(event.token->id);
        }
      }
      for (std::size_t i = 0; i < alone.size(); ++i) {
        CAPTURE(kind, name(dtype), i);
        CHECK(together[i] == alone[i]);
        Request more = requests()[i];
        more.logprobs = 3;
        CHECK(generate_alone(two, more).ids == alone[i]);
      }
    }
  }
}

TEST_CASE("A screen is for plain heads alone") {
  const ChatModelFile file(with_head("adaptive"));
  OpenOptions options;
  options.head = HeadKind::kScreened;
  const auto opened = Model::open(file.path(), options);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message ==
        "\"" + file.path() + "\" has an output of the kind 'adaptive', and only dense ones are screened");
  const auto prepared = prepare(file.path());
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().code == ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace partita::internal::testing
