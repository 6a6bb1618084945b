// Searches through the public interface: what they find on tiny models, what they refuse, how they end.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using V = ChatVocabulary;
using Ids = std::vector<TokenId>;

Request asking(std::string prompt, int n) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = n;
  return request;
}

/// Less the bytes that make no character, and the U+FFFD that stand for such in a text.
std::string whole_characters(std::string text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  for (std::size_t at; (at = text.find(kReplacement)) != std::string::npos;)
    text.erase(at, kReplacement.size());
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore);
}

Search with_beams(int beams, int n_best = 1) {
  Search search;
  search.beams = beams;
  search.n_best = n_best;
  return search;
}

SearchResult search_alone(const Model& model, const Request& request, const Search& search) {
  Session session = must(model.session());
  return must(session.search(request, search));
}

/// The joint log-probability of an answer as score() sees it.
double joint(const Model& model, const SearchResult& result, const Hypothesis& answer) {
  Ids all = result.prompt_ids;
  all.insert(all.end(), answer.ids.begin(), answer.ids.end());
  Session session = must(model.session());
  const Score score = must(session.score(all));
  return std::accumulate(score.logprobs.begin() + static_cast<std::ptrdiff_t>(result.prompt_ids.size()),
                         score.logprobs.end(), 0.0);
}

/// How far a joint log-probability may be from it. Tiles round what is scored to bf16, but not what is
/// generated: 0.043 of a dozen tokens.
double joint_margin(const Model& model) { return model.info().isa.starts_with("amx") ? 0.1 : 2e-3; }

void check_sorted(const std::vector<Hypothesis>& answers) {
  for (std::size_t i = 1; i < answers.size(); ++i) CHECK(answers[i - 1].score >= answers[i].score);
}

TEST_CASE("Beams: every answer has the joint log-probability that its ids have") {
  for (const bool gemma : {false, true}) {
    ChatFile what;
    if (gemma) what.spec = tiny_gemma3(Dtype::kF32);  // whose windows release pages
    const ChatModelFile file(what);
    const Model model = must(Model::open(file.path()));
    for (const int groups : {1, 2}) {
      Search search = with_beams(4, 4);
      search.length_penalty = 0.5F;
      search.groups = groups;
      const SearchResult result = search_alone(model, asking(std::string(120, 'a') + "hello", 12), search);
      REQUIRE(result.answers.size() == 4);
      CHECK(result.prompt_ids.size() == 121);
      check_sorted(result.answers);
      for (const Hypothesis& answer : result.answers) {
        REQUIRE(answer.logprobs.size() == answer.ids.size());
        CHECK(answer.sum_logprob == Approx(joint(model, result, answer)).margin(joint_margin(model)));
        CHECK(answer.score ==
              Approx(answer.sum_logprob / std::sqrt(static_cast<double>(answer.ids.size()))).margin(1e-5));
        const bool ended = answer.ids.back() == V::kEnd;
        CHECK(answer.finish == (ended ? Finish::kEos : Finish::kLength));
        if (!ended) CHECK(answer.ids.size() == 12);
      }
      CHECK(result.timing.prefill_tokens == 121);
      CHECK(result.timing.decode_tokens <= 4 * 11);
    }
  }
}

TEST_CASE("A wider search never finds a worse first step, and beats greedy here") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Request request = asking("hello", 10);
  Search search = with_beams(16);
  search.length_penalty = 0;
  search.early_stopping = EarlyStopping::kNever;
  const SearchResult wide = search_alone(model, request, search);
  request.sampling.temperature = 0;
  request.logprobs = 0;
  const Whole greedy = generate_alone(model, request);
  double sum = 0;
  for (const Token& token : greedy.tokens) sum += static_cast<double>(token.logprob);
  CHECK(wide.answers[0].sum_logprob > sum);
}

TEST_CASE("A search is the same on any number of threads, and twice") {
  const ChatModelFile file;
  OpenOptions one, two;
  one.threads = 1;
  two.threads = 2;
  for (const int kind : {0, 1, 2}) {
    Search search = with_beams(kind == 0 ? 5 : 1, kind == 1 ? 3 : 1);
    if (kind == 1) search.best_of = 3;
    if (kind == 2) search.penalty_alpha = 0.5F;
    Request request = asking("hello world", 9);
    if (kind == 2) request.sampling.top_k = 4;
    const SearchResult a = search_alone(must(Model::open(file.path(), one)), request, search);
    const SearchResult b = search_alone(must(Model::open(file.path(), two)), request, search);
    REQUIRE(a.answers.size() == b.answers.size());
    for (std::size_t i = 0; i < a.answers.size(); ++i) {
      CHECK(a.answers[i].ids == b.answers[i].ids);
      CHECK(a.answers[i].score == b.answers[i].score);
    }
  }
}

TEST_CASE("Stop strings end an answer of a search and are in none of them") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  const Request open_ended = asking("hello", 20);
  const SearchResult whole = search_alone(model, open_ended, with_beams(4, 4));
  std::set<Finish> finishes;
  for (const Hypothesis& seen : whole.answers) {
    for (const std::size_t at : {std::size_t{1}, std::size_t{4}, std::size_t{9}}) {
      if (at + 3 > seen.text.size()) continue;
      Request request = open_ended;
      request.stop = {"never to be seen", seen.text.substr(at, 1 + at % 3)};
      for (int kind = 0; kind < 3; ++kind) {
        Search search = with_beams(kind == 0 ? 4 : 1, kind < 2 ? 4 : 1);
        if (kind == 1) search.best_of = 4;
        if (kind == 2) search.penalty_alpha = 0.3F;
        request.sampling.top_k = kind == 2 ? 3 : 0;
        for (const Hypothesis& answer : search_alone(model, request, search).answers) {
          CHECK(answer.text.find(request.stop[1]) == std::string::npos);
          finishes.insert(answer.finish);
          if (answer.finish != Finish::kStop) continue;
          // The ids end with the token that completes the stop, and not before.
          Ids ids = answer.ids;
          const std::string all = must(model.detokenize(ids));
          ids.pop_back();
          CHECK(must(model.detokenize(ids)).find(request.stop[1]) == std::string::npos);
          CHECK(all.find(request.stop[1]) != std::string::npos);
          CHECK(whole_characters(answer.text) == whole_characters(all.substr(0, all.find(request.stop[1]))));
        }
      }
    }
  }
  CHECK(finishes.count(Finish::kStop) == 1);
  CHECK(finishes.count(Finish::kLength) == 1);
}

TEST_CASE("Samplers act on beams as processors: a token that occurred costs") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Request request = asking("hello", 16);
  const SearchResult plain = search_alone(model, request, with_beams(3));
  request.sampling.repeat_penalty = 50;
  const SearchResult penalised = search_alone(model, request, with_beams(3));
  Ids ids = penalised.answers[0].ids;
  std::sort(ids.begin(), ids.end());
  CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  CHECK(penalised.answers[0].sum_logprob <= plain.answers[0].sum_logprob + 1e-6);
  CHECK(penalised.answers[0].sum_logprob ==
        Approx(joint(model, penalised, penalised.answers[0])).margin(joint_margin(model)));
}

TEST_CASE("Best of n: the answers that generate gives with each sequence number, ranked") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Request request = asking("hello world", 14);
  request.sampling.temperature = 0.8F;
  request.sampling.seed = 5;
  request.sampling.sequence = 40;
  Search search;
  search.best_of = 6;
  search.n_best = 6;
  const SearchResult result = search_alone(model, request, search);
  REQUIRE(result.answers.size() == 6);
  check_sorted(result.answers);
  std::set<Ids> found, alone;
  for (const Hypothesis& answer : result.answers) {
    found.insert(answer.ids);
    CHECK(answer.sum_logprob == Approx(joint(model, result, answer)).margin(joint_margin(model)));
    CHECK(answer.score == Approx(answer.sum_logprob / static_cast<double>(answer.ids.size())));
  }
  for (std::uint64_t i = 40; i < 46; ++i) {
    request.sampling.sequence = i;
    const Whole whole = generate_alone(model, request);
    alone.insert(whole.ids);
    const auto same = std::find_if(result.answers.begin(), result.answers.end(),
                                   [&](const Hypothesis& answer) { return answer.ids == whole.ids; });
    REQUIRE(same != result.answers.end());
    CHECK(same->text == whole.text);
    CHECK(same->finish == whole.finish);
  }
  CHECK(found == alone);
  search.n_best = 1;
  request.sampling.sequence = 40;
  CHECK(search_alone(model, request, search).answers[0].ids == result.answers[0].ids);
}

TEST_CASE("Contrastive search with next to no penalty is greedy; with all of it, it avoids likeness") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Request request = asking("hello", 12);
  request.sampling.temperature = 0;
  const Whole greedy = generate_alone(model, request);
  request.sampling.top_k = 4;
  Search search;
  search.penalty_alpha = 1e-7F;
  const SearchResult little = search_alone(model, request, search);
  CHECK(little.answers[0].ids == greedy.ids);
  CHECK(little.answers[0].sum_logprob ==
        Approx(joint(model, little, little.answers[0])).margin(joint_margin(model)));
  search.penalty_alpha = 1;
  CHECK(search_alone(model, request, search).answers[0].ids != greedy.ids);
}

TEST_CASE("A session goes on after a search as if nothing had been") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  const Request request = asking("hello hello hello", 8);
  Request longer = asking("hello hello hello, and more", 8);
  longer.sampling.top_k = 4;
  Session session = must(model.session());
  Stream before = must(session.generate(request));
  must(before.next());
  Search contrastive;
  contrastive.penalty_alpha = 0.5F;
  for (int kind = 0; kind < 3; ++kind) {
    Search search = with_beams(3);
    if (kind == 1) search.beams = 1, search.best_of = 3;
    const SearchResult found =
        kind == 2 ? must(session.search(longer, contrastive)) : must(session.search(request, search));
    CHECK(found.answers[0].ids ==
          (kind == 2 ? search_alone(model, longer, contrastive) : search_alone(model, request, search))
              .answers[0]
              .ids);
    if (kind == 0) CHECK(found.timing.prefill_tokens == 1);  // the cache had the rest
    CHECK_FALSE(must(before.next()).has_value());
    CHECK(pull_all(must(session.generate(request))).ids == generate_alone(model, request).ids);
    CHECK(must(session.search(request, with_beams(3))).answers[0].ids ==
          search_alone(model, request, with_beams(3)).answers[0].ids);
  }
}

TEST_CASE("The context ends answers of a search; nothing wanted is nothing found") {
  ChatFile what;
  what.spec.context = 64;
  const ChatModelFile file(what);
  const Model model = must(Model::open(file.path()));
  const SearchResult full = search_alone(model, asking(std::string(50, 'x'), -1), with_beams(3, 3));
  for (const Hypothesis& answer : full.answers) {
    CHECK((answer.ids.size() == 14 || answer.finish == Finish::kEos));
  }
  const SearchResult nothing = search_alone(model, asking("x", 0), with_beams(3));
  REQUIRE(nothing.answers.size() == 1);
  CHECK(nothing.answers[0].ids.empty());
  CHECK(nothing.answers[0].finish == Finish::kLength);
}

TEST_CASE("A cancelled search says so, and the session stays usable") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  CancelFlag cancel;
  session.set_cancel(&cancel);
  Request request = asking("hello", 8);
  for (int kind = 0; kind < 3; ++kind) {
    Search search = with_beams(kind == 0 ? 3 : 1);
    if (kind == 1) search.best_of = 3;
    if (kind == 2) search.penalty_alpha = 0.5F;
    request.sampling.top_k = kind == 2 ? 4 : 0;
    cancel.set();
    CHECK(session.search(request, search).error().code == ErrorCode::kCancelled);
    cancel.clear();
    CHECK(must(session.search(request, search)).answers[0].ids ==
          search_alone(model, request, search).answers[0].ids);
  }
}

TEST_CASE("A cache too small for the beams is an error that names its figures") {
  const ChatModelFile file;
  OpenOptions options;
  options.cache_bytes = 200 * 256;  // 256 bytes a token: three pages of 64 tokens
  const Model model = must(Model::open(file.path(), options));
  Session session = must(model.session());
  const auto found = session.search(asking("hello", 5), with_beams(4));
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ErrorCode::kOutOfMemory);
  CHECK(found.error().message.find(std::to_string(options.cache_bytes)) != std::string::npos);
  CHECK(must(session.search(asking("hello", 5), with_beams(2))).answers.size() == 1);
  Search best;  // which waits for memory instead
  best.best_of = 4;
  const ChatModelFile same;
  CHECK(must(session.search(asking("hello", 5), best)).answers[0].ids ==
        search_alone(must(Model::open(same.path())), asking("hello", 5), best).answers[0].ids);
}

TEST_CASE("A wrong search is refused before anything is computed, and names what is wrong") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  const auto refusal = [&](auto change) {
    Request request = asking("hello", 5);
    Search search = with_beams(4);
    change(request, search);
    auto found = session.search(request, search);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == ErrorCode::kInvalidArgument);
    CHECK(session.length() == 0);
    return found.error().message;
  };
  const auto names = [](const std::string& message, const char* what) {
    INFO(message);
    CHECK(message.find(what) != std::string::npos);
  };
  names(refusal([](Request&, Search& s) { s.beams = 0; }), "beams is 0");
  names(refusal([](Request&, Search& s) { s.beams = 513; }), "1 to 512");
  names(refusal([](Request&, Search& s) { s.groups = 3; }), "groups is 3");
  names(refusal([](Request&, Search& s) { s.groups = 8; }), "1 to 4");
  names(refusal([](Request&, Search& s) { s.diversity_penalty = 0.5F; }), "one group");
  names(refusal([](Request&, Search& s) { s.groups = 2, s.diversity_penalty = -1; }),
        "diversity_penalty is -1");
  names(refusal([](Request&, Search& s) { s.length_penalty = std::nanf(""); }), "length_penalty is nan");
  names(refusal([](Request&, Search& s) { s.n_best = 5; }), "n_best is 5");
  names(refusal([](Request&, Search& s) { s.n_best = 0; }), "n_best is 0");
  names(refusal([](Request&, Search& s) { s.best_of = 2; }), "not several");
  names(refusal([](Request&, Search& s) { s.penalty_alpha = 0.5F; }), "not several");
  names(refusal([](Request& r, Search&) { r.logprobs = 2; }), "logprobs is 2");
  names(refusal([](Request& r, Search&) { r.sampling.temperature = 0.5F; }), "temperature is 0.5");
  names(refusal([](Request& r, Search&) { r.sampling.top_p = 0.5F; }), "top_p is 0.5");
  names(refusal([](Request& r, Search&) { r.sampling.min_p = 0.5F; }), "min_p is 0.5");
  names(refusal([](Request& r, Search&) { r.sampling.top_k = 5; }), "top_k is 5");
  names(refusal([](Request& r, Search&) { r.sampling.repeat_penalty = -1; }), "repeat_penalty");
  names(refusal([](Request&, Search& s) { s = {}, s.penalty_alpha = 2; }), "penalty_alpha is 2");
  names(refusal([](Request&, Search& s) { s = {}, s.penalty_alpha = 0.5F; }), "top_k is 0");
  names(refusal([](Request& r, Search& s) {
          s = {}, s.penalty_alpha = 0.5F;
          r.sampling.top_k = 4, r.sampling.repeat_penalty = 2;
        }),
        "repeat_penalty 2");
  names(refusal([](Request& r, Search&) { r.stop = {""}; }), "stop");
  names(refusal([](Request& r, Search&) { r.prompt = ""; }), "empty");
}

}  // namespace
}  // namespace partita::internal::testing
