// Speculative decoding changes when tokens come, never which: draft tokens of prompt lookup or of a draft
// model, accepted or rejected.
#include <cmath>
#include <map>

#include "api/serving/prompt_lookup.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

std::vector<std::int32_t> ids_of(std::span<const DraftToken> draft) {
  std::vector<std::int32_t> ids;
  for (const DraftToken& token : draft) ids.push_back(token.id);
  return ids;
}

/// A whole answer of a session, and its counts of draft tokens.
struct Drafted {
  Whole whole;
  Timing timing;
};
Drafted drafted(Session& session, const Request& request) {
  Stream stream = must(session.generate(request));
  Drafted out;
  while (true) {
    const auto token = must(stream.next());
    if (!token) break;
    out.whole.ids.push_back(token->id);
    out.whole.text += token->text;
  }
  out.whole.finish = stream.finish();
  out.timing = stream.timing();
  return out;
}

TEST_CASE("Prompt lookup drafts what followed the longest match") {
  const auto lookup = make_prompt_lookup();
  const DraftTerms terms{4, 1, 0};
  CHECK(lookup->draft(std::vector<std::int32_t>{1, 2, 3}, terms).empty());
  //                              the longer match: 7 8 9             the later: 9
  const std::vector<std::int32_t> ids = {7, 8, 9, 10, 11, 12, 13, 5, 9, 40, 41, 6, 7, 8, 9};
  CHECK(ids_of(make_prompt_lookup()->draft(ids, terms)) == std::vector<std::int32_t>{10, 11, 12, 13});
  const std::vector<std::int32_t> loop = {4, 5, 6, 4, 5, 6, 4};
  CHECK(ids_of(make_prompt_lookup()->draft(loop, terms)) == std::vector<std::int32_t>{5, 6, 4, 5});
}

TEST_CASE("Prompt lookup learns how often its tokens are accepted") {
  const auto lookup = make_prompt_lookup();
  const DraftTerms terms{1, 1, 0};
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(1 + i % 2);
  const double before = lookup->draft(ids, terms)[0].probability;
  for (int i = 50; i < 90; ++i) {
    ids.push_back(1 + i % 2);
    lookup->draft(ids, terms);
  }
  const double trusted = lookup->draft(ids, terms)[0].probability;
  CHECK(trusted > before);
  CHECK(trusted > 0.98);
  for (int i = 0; i < 40; ++i) {
    ids.push_back(100 + i);  // never what came before
    ids.push_back(1);
    lookup->draft(ids, terms);
  }
  CHECK(lookup->draft(ids, terms)[0].probability < 0.2);
}

TEST_CASE("With prompt lookup answers are the same, in fewer steps") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  std::size_t accepted = 0;
  for (int i = 0; i < 40; ++i) {
    Request request;
    request.prompt = "abcabcabdabc" + std::string(static_cast<std::size_t>(i), 'x');
    request.max_tokens = 100;
    request.sampling.temperature = i % 2 == 0 ? 0.0F : 0.3F;
    request.sampling.seed = static_cast<std::uint64_t>(i);
    if (i % 5 == 0) request.stop = {"bb"};
    request.speculation = Speculation::kAlways;
    request.logprobs = 2;
    Session session = must(model.session());
    const Drafted with = drafted(session, request);
    request.speculation = Speculation::kNever;
    Session plain_session = must(model.session());
    const Drafted without = drafted(plain_session, request);
    CHECK(with.whole.ids == without.whole.ids);
    CHECK(with.whole.text == without.whole.text);
    CHECK(with.whole.finish == without.whole.finish);
    CHECK(without.timing.draft_tokens == 0);
    CHECK(with.timing.decode_tokens == without.timing.decode_tokens);
    accepted += with.timing.accepted_tokens;
  }
  CHECK(accepted > 400);
}

TEST_CASE("With a draft model the answer is the larger model's") {
  const ChatModelFile file;
  ChatFile other;
  other.spec.seed += 1;
  const ChatModelFile other_file(other);
  const Model model = must(Model::open(file.path())), unrelated = must(Model::open(other_file.path()));
  std::size_t drafted_tokens = 0, accepted = 0, unrelated_drafted = 0, unrelated_accepted = 0;
  for (int i = 0; i < 20; ++i) {
    Request request;
    request.prompt = "hello " + std::to_string(i * 7919);
    request.max_tokens = 60;
    request.sampling.temperature = i % 2 == 0 ? 0.0F : 1.0F;
    request.sampling.top_k = i % 3 == 0 ? 20 : 0;
    request.speculation = Speculation::kAlways;
    request.sampling.seed = static_cast<std::uint64_t>(i);
    const Whole alone = generate_alone(model, request);
    Session like = must(model.session()), unlike = must(model.session());
    REQUIRE(like.draft_with(model));
    REQUIRE(unlike.draft_with(unrelated));
    for (Session* session : {&like, &unlike}) {
      for (int again = 0; again < 2; ++again) {
        const Drafted found = drafted(*session, request);
        CHECK(found.whole.ids == alone.ids);
        CHECK(found.whole.text == alone.text);
        (session == &like ? drafted_tokens : unrelated_drafted) += found.timing.draft_tokens;
        (session == &like ? accepted : unrelated_accepted) += found.timing.accepted_tokens;
      }
    }
  }
  CHECK(drafted_tokens > 0);
  CHECK(accepted > drafted_tokens * 9 / 10);  // the same draws under the same keys; drafts go on after an end
  CHECK(unrelated_accepted < unrelated_drafted / 2 + 20);
}

TEST_CASE("A batch takes a draft model, but none of another vocabulary") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  BatchOptions options;
  options.max_sequences = 3;
  options.draft = model;
  Batch batch = must(model.batch(options));
  std::vector<Request> requests;
  std::map<Batch::Ticket, std::vector<TokenId>> ids;
  for (int i = 0; i < 7; ++i) {
    Request request;
    request.prompt = "hello " + std::to_string(i);
    request.speculation = Speculation::kAlways;
    request.max_tokens = 30;
    request.sampling.seed = static_cast<std::uint64_t>(i);
    requests.push_back(request);
    must(batch.add(request));
  }
  std::vector<Batch::Event> events;
  while (batch.running() > 0) REQUIRE(batch.advance(events));
  for (const auto& event : events) {
    if (event.token) ids[event.ticket].push_back(event.token->id);
  }
  for (std::size_t i = 0; i < requests.size(); ++i)
    CHECK(ids[i + 1] == generate_alone(model, requests[i]).ids);

  ChatFile respelled;
  respelled.respelled = {{'a', "ü"}};
  const ChatModelFile other_file(respelled);
  options.draft = must(Model::open(other_file.path()));
  CHECK(model.batch(options).error().code == ErrorCode::kInvalidArgument);
  Session session = must(model.session());
  CHECK(session.draft_with(*options.draft).error().message.find("vocabularies differ") != std::string::npos);
}

/// The third token of answers drawn under 4,000 sequence numbers, where the two before it are the likeliest
/// ones; an unrelated model drafts.
std::map<TokenId, int> draws(const Model& model, const Model& unrelated, const Request& like,
                             std::span<const TokenId> first_two, std::size_t& drafted_tokens) {
  std::map<TokenId, int> counts;
  Session session = must(model.session());
  REQUIRE(session.draft_with(unrelated));
  for (std::uint64_t n = 0; n < 4000; ++n) {
    Request request = like;
    request.sampling.sequence = n;
    const Drafted answer = drafted(session, request);
    drafted_tokens += answer.timing.draft_tokens;
    if (std::equal(first_two.begin(), first_two.end(), answer.whole.ids.begin()))
      ++counts[answer.whole.ids[2]];
  }
  return counts;
}

TEST_CASE("With draft tokens, tokens have the model's distribution at temperature 0.8") {
  const ChatModelFile file;
  ChatFile other;
  other.spec.seed += 1;
  const ChatModelFile other_file(other);
  const Model model = must(Model::open(file.path())), unrelated = must(Model::open(other_file.path()));
  Request request;
  request.prompt = "abcabcabcabcabcabc";
  request.max_tokens = 3;
  request.speculation = Speculation::kAlways;
  request.sampling.temperature = 0;
  const Whole greedy = generate_alone(model, request);
  request.sampling.temperature = 0.8F;
  Session session = must(model.session());
  std::vector<TokenId> ids = must(model.tokenize(request.prompt));
  ids.insert(ids.end(), greedy.ids.begin(), greedy.ids.begin() + 2);
  // All but three tokens are excluded, so that the first two are the likeliest ones often enough.
  request.sampling.top_k = 3;
  const std::vector<float> logits = must(session.logits(ids, 1));
  std::vector<std::pair<float, TokenId>> best;
  for (std::size_t id = 0; id < logits.size(); ++id) best.emplace_back(-logits[id], static_cast<TokenId>(id));
  std::sort(best.begin(), best.end());
  double sum = 0;
  std::vector<double> expected;
  for (int i = 0; i < 3; ++i)
    expected.push_back(std::exp((best[0].first - best[static_cast<std::size_t>(i)].first) / 0.8));
  for (const double e : expected) sum += e;

  std::size_t drafted_tokens = 0;
  const auto counts = draws(model, unrelated, request, std::span(greedy.ids).first(2), drafted_tokens);
  int all = 0;
  for (const auto& [id, count] : counts) all += count;
  REQUIRE(all > 300);
  CHECK(drafted_tokens > 1000);
  double chi_square = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double mean = all * expected[i] / sum;
    const auto found = counts.find(best[i].second);
    const double count = found == counts.end() ? 0 : found->second;
    chi_square += (count - mean) * (count - mean) / mean;
  }
  CHECK(counts.size() <= 3);
  CHECK(chi_square < 13.8);  // two degrees of freedom: p = 0.001
}

}  // namespace
}  // namespace partita::internal::testing
