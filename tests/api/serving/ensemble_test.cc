// Ensembles: against brute force over the members' logits, and one member against its session.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using Ids = std::vector<TokenId>;
constexpr EnsembleSpace kSpaces[] = {EnsembleSpace::kProbability, EnsembleSpace::kLogit};

ChatFile of_seed(std::uint64_t seed, std::uint32_t context = 2048) {
  ChatFile what;
  what.spec.seed = seed;
  what.spec.context = context;
  return what;
}

Model open_exact(const ChatModelFile& file) {
  OpenOptions options;
  options.exact = true;  // prompts and generated tokens have one arithmetic, whatever the machine
  return must(Model::open(file.path(), options));
}

Request sampled(std::string prompt, int n) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = n;
  request.sampling.seed = 7;
  request.logprobs = 3;
  return request;
}

Whole generate_together(std::vector<EnsembleMember> members, EnsembleSpace space, const Request& request) {
  Ensemble ensemble = must(Ensemble::create(std::move(members), space));
  return pull_all(must(ensemble.generate(request)));
}

/// The same ids, text and log-probabilities, to the bit.
void check_same(const Whole& one, const Whole& other) {
  CHECK(one.ids == other.ids);
  CHECK(one.text == other.text);
  CHECK(one.finish == other.finish);
  REQUIRE(one.tokens.size() == other.tokens.size());
  for (std::size_t i = 0; i < one.tokens.size(); ++i) {
    CHECK(one.tokens[i].logprob == other.tokens[i].logprob);
    CHECK(one.tokens[i].top == other.tokens[i].top);
  }
}

/// Log-probabilities of the id after `ids`, from the definition, in double.
std::vector<double> brute_force(std::vector<EnsembleMember>& members, EnsembleSpace space, const Ids& ids) {
  const std::size_t vocab = members[0].model.info().vocab_size;
  double weights = 0;
  for (const EnsembleMember& member : members) weights += static_cast<double>(member.weight);
  std::vector<double> mean(vocab, 0);
  for (EnsembleMember& member : members) {
    Session session = must(member.model.session());
    const std::vector<float> logits = must(session.logits(ids, 1));
    const double weight = static_cast<double>(member.weight) / weights;
    double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x));
    for (std::size_t i = 0; i < vocab; ++i) {
      const auto x = static_cast<double>(logits[i]);
      mean[i] += weight * (space == EnsembleSpace::kLogit ? x : std::exp(x) / sum);
    }
  }
  double sum = 0;
  for (double& x : mean) sum += space == EnsembleSpace::kLogit ? std::exp(x) : x;
  for (double& x : mean) x = (space == EnsembleSpace::kLogit ? x : std::log(x)) - std::log(sum);
  return mean;
}

TEST_CASE("An ensemble says what brute force over the logits of each member says") {
  const ChatModelFile one(of_seed(1)), two(of_seed(2)), three(of_seed(3));
  std::vector<EnsembleMember> members = {
      {open_exact(one), 1}, {open_exact(two), 2.5F}, {open_exact(three), 0.5F}};
  for (const EnsembleSpace space : kSpaces) {
    for (const float temperature : {0.0F, 0.6F, 1.4F}) {
      Request request = sampled("hello, you", 12);
      request.sampling.temperature = temperature;
      request.sampling.top_p = 0.9F;
      const Whole whole = generate_together(members, space, request);
      REQUIRE(whole.ids.size() == 12);

      SamplingOptions options;
      options.set("temperature", temperature);
      options.set("top_p", 0.9F);
      const Chain chain = must(Chain::create(options));
      Candidates scratch;
      Ids ids = must(members[0].model.tokenize("hello, you"));
      for (const Token& token : whole.tokens) {
        const std::vector<double> expected = brute_force(members, space, ids);
        const std::vector<float> row(expected.begin(), expected.end());
        const StageContext context{ids, 0, {7, 0, ids.size()}, &exact_kernels()};
        CHECK(must(chain.choose(row, context, nullptr, scratch)).id == token.id);
        CHECK(static_cast<double>(token.logprob) ==
              Approx(expected[static_cast<std::size_t>(token.id)]).margin(2e-6));
        REQUIRE(token.top.size() == 3);
        CHECK(static_cast<double>(token.top[0].second) ==
              Approx(*std::max_element(expected.begin(), expected.end())).margin(2e-6));
        ids.push_back(token.id);
      }
    }
  }
}

TEST_CASE("The two spaces, the weights and the members all make a difference") {
  const ChatModelFile one(of_seed(1)), two(of_seed(2));
  const Model first = must(Model::open(one.path())), second = must(Model::open(two.path()));
  const Request request = sampled("hello", 30);
  const Ids mixed = generate_together({{first}, {second}}, EnsembleSpace::kProbability, request).ids;
  CHECK(generate_together({{first}, {second}}, EnsembleSpace::kLogit, request).ids != mixed);
  CHECK(generate_together({{first, 5}, {second}}, EnsembleSpace::kProbability, request).ids != mixed);
  CHECK(generate_alone(first, request).ids != mixed);
  CHECK(generate_alone(second, request).ids != mixed);
}

TEST_CASE("One member gives its session's answers; so do copies of it, and other members of weight 0") {
  for (const bool gemma : {false, true}) {
    ChatFile what = of_seed(1);
    if (gemma) what.spec = tiny_gemma3(Dtype::kF32);
    const ChatModelFile one(what), two(of_seed(2));
    const Model model = must(Model::open(one.path())), other = must(Model::open(two.path()));
    const Request request = sampled(long_text(600), 20);
    const Whole alone = generate_alone(model, request);
    const auto logits = EnsembleSpace::kLogit, probabilities = EnsembleSpace::kProbability;
    check_same(generate_together({{model, 0.3F}}, logits, request), alone);
    check_same(generate_together({{model}, {model}}, logits, request), alone);
    check_same(generate_together({{model, 2}, {other, 0}}, logits, request), alone);
    check_same(generate_together({{other, 0}, {model, 2}}, logits, request), alone);
    CHECK(generate_together({{model, 0.3F}}, probabilities, request).ids == alone.ids);
    CHECK(generate_together({{model}, {model, 3}}, probabilities, request).ids == alone.ids);
  }
}

TEST_CASE("A request that follows another gets what it would get alone, and reads only what is new") {
  const ChatModelFile one(of_seed(1)), two(of_seed(2));
  const Model first = must(Model::open(one.path())), second = must(Model::open(two.path()));
  Ensemble ensemble = must(Ensemble::create({{first}, {second}}, EnsembleSpace::kProbability));
  const std::string base = long_text(200);
  for (const std::string& prompt :
       {base, base + "and more", base.substr(0, 90), base.substr(0, 50) + "hello", base}) {
    const Request request = sampled(prompt, 8);
    check_same(pull_all(must(ensemble.generate(request))),
               generate_together({{first}, {second}}, EnsembleSpace::kProbability, request));
  }
  Stream again = must(ensemble.generate(sampled(base + "x", 3)));
  must(again.next());
  CHECK(again.timing().prefill_tokens < 10);
  ensemble.reset();
  CHECK_FALSE(must(again.next()).has_value());
  Stream fresh = must(ensemble.generate(sampled(base, 3)));
  must(fresh.next());
  must(fresh.next());
  CHECK(fresh.timing().prefill_tokens == 200);  // once, not for every member
  CHECK(fresh.timing().decode_tokens == 1);
}

TEST_CASE("A cancelled ensemble goes on where it was, in whichever member that is") {
  const ChatModelFile one(of_seed(1)), two(of_seed(2));
  const Model first = must(Model::open(one.path())), second = must(Model::open(two.path()));
  const Request request = sampled(long_text(700), 6);
  const Whole expected = generate_together({{first}, {second}}, EnsembleSpace::kProbability, request);
  Ensemble ensemble = must(Ensemble::create({{first}, {second}}, EnsembleSpace::kProbability));
  CancelFlag cancel;
  ensemble.set_cancel(&cancel);
  std::vector<std::size_t> seen;
  ensemble.set_progress([&](std::size_t done, std::size_t all) {
    CHECK(all == 1400);
    seen.push_back(done);
    cancel.set();  // after every chunk
  });
  Stream stream = must(ensemble.generate(request));
  Ids ids;
  std::size_t cancelled = 0;
  while (ids.size() < 6) {
    auto token = stream.next();
    if (!token) {
      REQUIRE(token.error().code == ErrorCode::kCancelled);
      ++cancelled;
      cancel.clear();
    } else {
      ids.push_back((*token)->id);
      cancel.set();
    }
  }
  CHECK(ids == expected.ids);
  CHECK(stream.timing().prefill_tokens == 700);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.size() >= 4);  // prompt chunks have at most 512 tokens
  CHECK(seen.back() == 1400);
  CHECK(cancelled >= 3 + 5);
}

TEST_CASE("The context is that of the member with the shortest") {
  const ChatModelFile one(of_seed(1)), two(of_seed(2, 64));
  const Model large = must(Model::open(one.path())), small = must(Model::open(two.path()));
  for (const bool small_first : {false, true}) {
    std::vector<EnsembleMember> members = {{large}, {small}};
    if (small_first) std::swap(members[0], members[1]);
    Ensemble ensemble = must(Ensemble::create(members, EnsembleSpace::kLogit));
    const auto refused = ensemble.generate(sampled(std::string(64, 'x'), 5));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("context holds 64") != std::string::npos);
    const Whole full = pull_all(must(ensemble.generate(sampled(std::string(50, 'x'), -1))));
    CHECK((full.ids.size() == 14 || full.finish == Finish::kEos));
  }
}

TEST_CASE("A stream ends with the next one, and may outlive its ensemble; stop strings end it") {
  const ChatModelFile one(of_seed(1)), two(of_seed(2));
  std::optional<Stream> last;
  Request request = sampled("hello", 40);
  {
    const Model first = must(Model::open(one.path())), second = must(Model::open(two.path()));
    Ensemble ensemble = must(Ensemble::create({{first}, {second}}, EnsembleSpace::kProbability));
    Stream stream = must(ensemble.generate(request));
    must(stream.next());
    last = must(ensemble.generate(request));
    CHECK_FALSE(must(stream.next()).has_value());
  }
  const Whole whole = pull_all(std::move(*last));
  CHECK(whole.ids.size() > 10);
  const Model first = must(Model::open(one.path())), second = must(Model::open(two.path()));
  request.stop = {whole.text.substr(5, 3)};
  const Whole cut = generate_together({{first}, {second}}, EnsembleSpace::kProbability, request);
  CHECK(cut.finish == Finish::kStop);
  CHECK(cut.text == whole.text.substr(0, whole.text.find(request.stop[0])));
}

TEST_CASE("What makes no ensemble is refused, and names what is wrong") {
  const ChatModelFile file(of_seed(1));
  const Model model = must(Model::open(file.path()));
  const auto refusal = [&](std::vector<EnsembleMember> members) {
    auto ensemble = Ensemble::create(std::move(members), EnsembleSpace::kLogit);
    REQUIRE_FALSE(ensemble);
    CHECK(ensemble.error().code == ErrorCode::kInvalidArgument);
    return ensemble.error().message;
  };
  const auto has = [](const std::string& message, const std::string& words) {
    CAPTURE(message, words);
    CHECK(message.find(words) != std::string::npos);
  };
  has(refusal({}), "has 0 members");
  has(refusal(std::vector<EnsembleMember>(17, {model})), "has 17 members; it must have 1 to 16");
  has(refusal({{model}, {model, -1}}), "member 1 of the ensemble: the weight is -1");
  has(refusal({{model, std::numeric_limits<float>::quiet_NaN()}}), "weight is nan");
  has(refusal({{model, 0}, {model, 0}}), "all weights of the ensemble are 0");

  OpenOptions text_only;
  text_only.text_only = true;
  const Model text = must(Model::open(file.path(), text_only));
  has(refusal({{model}, {text}}), "without weights (text_only)");
  has(refusal({{text}, {model}}), "without weights (text_only)");

  ChatFile what = of_seed(2);
  what.respelled = {{ChatVocabulary::kStart, "<|begin|>"}, {ChatVocabulary::kEnd, "<|stop|>"}};
  const ChatModelFile respelled(what);
  const std::string message = refusal({{model}, {model}, {must(Model::open(respelled.path()))}});
  has(message, "\"" + file.path() + "\" and \"" + respelled.path() + "\" cannot answer together");
  has(message, "id 261 is '<|im_start|>' (control) in one, '<|begin|>' (control) in the other");

  what = of_seed(2);
  what.added = {"more"};
  const ChatModelFile larger(what);
  has(refusal({{model}, {must(Model::open(larger.path()))}}), "one has 263 logits, the other 264");

  Ensemble ensemble = must(Ensemble::create({{model}}, EnsembleSpace::kLogit));
  Request request = sampled("hello", 5);
  request.sampling.temperature = -1;
  has(ensemble.generate(request).error().message, "temperature");
}

TEST_CASE("A cache that is too small is an error of the request, and the ensemble stays usable") {
  const ChatModelFile one(of_seed(1)), two(of_seed(2));
  OpenOptions options;
  options.cache_bytes = 200 * 256;  // 256 bytes a token: three pages of 64 tokens
  const Model first = must(Model::open(one.path())), second = must(Model::open(two.path(), options));
  Ensemble ensemble = must(Ensemble::create({{first}, {second}}, EnsembleSpace::kLogit));
  Stream stream = must(ensemble.generate(sampled(long_text(300), 5)));
  CHECK(stream.next().error().code == ErrorCode::kOutOfMemory);
  CHECK(stream.next().error().code == ErrorCode::kOutOfMemory);
  CHECK(pull_all(must(ensemble.generate(sampled(long_text(100), 5)))).ids.size() == 5);
}

}  // namespace
}  // namespace partita::internal::testing
