// Models with fixed states (linear attention, state-space models): how much is read again after a common
// beginning, and after a chat went back one turn. The model is a tiny one of the family qwen35 with a longer
// context.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using Ids = std::vector<TokenId>;

constexpr std::size_t kPage = 64;
constexpr std::uint32_t kContext = 4096;

/// qwen35.gguf with another context_length, in a file that is deleted with its owner.
class HybridFile {
 public:
  HybridFile() : path_(std::filesystem::temp_directory_path() / unique()) {
    std::ifstream in(std::string(PARTITA_TEST_DATA) + "/families/qwen35.gguf", std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const std::string key = "qwen35.context_length";
    const std::size_t at = bytes.find(key);
    REQUIRE(at != std::string::npos);
    std::memcpy(&bytes[at + key.size() + 4], &kContext, sizeof kContext);  // after its type
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~HybridFile() { std::filesystem::remove(path_); }
  HybridFile(const HybridFile&) = delete;
  HybridFile& operator=(const HybridFile&) = delete;
  std::string path() const { return path_.string(); }

 private:
  static std::string unique() { return "partita-hybrid-" + std::to_string(std::random_device{}()) + ".gguf"; }
  const std::filesystem::path path_;
};

Ids random_ids(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  Ids ids(n);
  for (TokenId& id : ids) id = static_cast<TokenId>(3 + random() % 100);  // no special tokens
  return ids;
}

Request request_of(Ids ids, unsigned max_tokens) {
  Request request;
  request.ids = std::move(ids);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  return request;
}

Ids joined(Ids a, const Ids& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Answers {
  std::map<Batch::Ticket, Ids> ids;
  Timing timing;
};

/// Answers requests, `at_once` of them at a time.
Answers answer(const Model& model, const std::vector<Request>& requests, std::size_t prefix_bytes,
               std::size_t at_once) {
  BatchOptions options;
  options.prefix_bytes = prefix_bytes;
  Batch batch = must(model.batch(options));
  Answers answers;
  std::vector<Batch::Event> events;
  for (std::size_t next = 0; next < requests.size() || batch.running() > 0;) {
    while (next < requests.size() && batch.running() < at_once) must(batch.add(requests[next++]));
    events.clear();
    REQUIRE(batch.advance(events));
    for (const Batch::Event& event : events) {
      REQUIRE_FALSE(event.error.has_value());
      if (event.token) answers.ids[event.ticket].push_back(event.token->id);
    }
  }
  answers.timing = batch.timing();
  return answers;
}

TEST_CASE("Requests with a common beginning read it once, recurrent layers included") {
  const HybridFile file;
  const Model model = must(Model::open(file.path()));
  const Ids common = random_ids(1500, 1);
  std::vector<Request> requests;
  for (unsigned i = 0; i < 20; ++i)
    requests.push_back(request_of(joined(common, random_ids(20 + 7 * i, 2 + i)), 3));
  for (const std::size_t at_once : {1, 20}) {
    INFO(at_once << " at once");
    const Answers alone = answer(model, requests, 0, at_once);
    const Answers shared = answer(model, requests, std::size_t{1} << 30, at_once);
    CHECK(alone.ids == shared.ids);
    INFO(alone.timing.prefill_tokens << " tokens without the prefix cache, " << shared.timing.prefill_tokens
                                     << " with it");
    CHECK(alone.timing.prefill_tokens >= 5 * shared.timing.prefill_tokens);
  }
}

TEST_CASE("A chat that goes back one turn reads at most a page again, recurrent layers included") {
  const HybridFile file;
  const Model model = must(Model::open(file.path()));
  for (const unsigned answer_tokens : {5u, 150u}) {
    INFO("answers of " << answer_tokens << " tokens");
    // With tiles an answer is computed again as part of the next prompt: the turn goes back to before it.
    const std::size_t answer_again = model.info().isa.starts_with("amx") ? answer_tokens : 0;
    Session session = must(model.session());
    const auto ask = [&](const Ids& ids) {
      Stream stream = must(session.generate(request_of(ids, answer_tokens)));
      Ids all = ids;
      while (auto token = must(stream.next())) all.push_back(token->id);
      return std::pair(all, stream.timing().prefill_tokens);
    };
    Ids chat = ask(random_ids(700, 1)).first;
    for (unsigned turn = 2; turn < 5; ++turn) {
      const Ids before = chat;
      chat = ask(joined(before, random_ids(90 * turn, turn))).first;
      const Ids again = joined(before, random_ids(77, 10 + turn));  // instead of this turn
      const auto [all, read] = ask(again);
      INFO("turn " << turn << ": " << read << " tokens read for 77 new ones");
      CHECK(read <= 77 + kPage + answer_again);
      const Whole fresh = generate_alone(model, request_of(again, answer_tokens));
      CHECK(joined(again, fresh.ids) == all);
      chat = all;
    }
  }
}

}  // namespace
}  // namespace partita::internal::testing
