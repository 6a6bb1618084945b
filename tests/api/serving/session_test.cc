// One conversation: determinism, reuse of the cache, ends, log-probabilities, cancelling.
#include <algorithm>
#include <cmath>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

using V = ChatVocabulary;
using Ids = std::vector<TokenId>;

Model open_default(const ChatModelFile& file) { return must(Model::open(file.path())); }

Request sampled(std::string prompt, int n, std::uint64_t seed = 7) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = n;
  request.sampling.seed = seed;
  return request;
}

TEST_CASE("The same request gives the same answer; another seed or sequence another") {
  const ChatModelFile file;
  const Model model = open_default(file);
  Request request = sampled("hello", 30);
  const Whole first = generate_alone(model, request);
  CHECK(first.ids.size() == 30);
  CHECK(first.finish == Finish::kLength);
  CHECK(generate_alone(model, request).ids == first.ids);
  request.sampling.sequence = 1;
  CHECK(generate_alone(model, request).ids != first.ids);
  request.sampling.sequence = 0;
  request.sampling.seed = 8;
  CHECK(generate_alone(model, request).ids != first.ids);
}

TEST_CASE("A full context is told from a limit that was asked for") {
  ChatFile what;
  what.spec.context = 64;
  const ChatModelFile file(what);
  const Model model = open_default(file);
  Session session = must(model.session());
  const auto full_after = [&](std::size_t prompt, int n) {
    Request request = sampled(long_text(prompt), n);
    request.sampling.set("min_tokens", 64.0).ok();  // no EOS
    Stream stream = must(session.generate(request));
    CHECK_FALSE(stream.context_full());
    while (must(stream.next())) {
    }
    CHECK(stream.finish() == Finish::kLength);
    return stream.context_full();
  };
  CHECK_FALSE(full_after(40, 5));
  CHECK_FALSE(full_after(40, 24));
  CHECK(full_after(40, 25));
  CHECK(full_after(40, -1));
  CHECK(full_after(63, 8));
}

TEST_CASE("Roles of messages are those of chats, and those that the template names") {
  const auto message_of = [](const char* role) { return std::vector<Message>{{role, "x"}}; };
  const ChatModelFile file;
  const Model model = open_default(file);
  for (const char* role : {"system", "developer", "user", "assistant", "tool"}) {
    CHECK(model.tokenize_chat(message_of(role), true));
  }
  for (const char* role : {"robot", "", "User", "m"}) {
    const auto refused = model.tokenize_chat(message_of(role), true);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kInvalidArgument);
    CHECK_THAT(refused.error().message, Catch::Matchers::Contains("\"" + std::string(role) + "\""));
  }
  Request request;
  request.messages = message_of("robot");
  CHECK(must(model.session()).generate(request).error().code == ErrorCode::kInvalidArgument);
  ChatFile what;
  what.chat_template =
      "{% for m in messages %}{% if m.role == 'robot' %}R{% endif %}{{ m.content }}{% endfor %}";
  const ChatModelFile of_robots(what);
  CHECK(open_default(of_robots).tokenize_chat(message_of("robot"), true));
}

TEST_CASE("A request that is wrong in itself is refused without a model") {
  CHECK(check(Request()));
  Request request;
  request.stop = {"a", ""};
  CHECK(check(request).error().code == ErrorCode::kInvalidArgument);
  request = {};
  request.abstain.min_margin = 2;
  CHECK_THAT(check(request).error().message, Catch::Matchers::Contains("min_margin is 2"));
  request = {};
  request.guidance_scale = -1;
  CHECK_THAT(check(request).error().message, Catch::Matchers::Contains("guidance_scale is -1"));
  request = {};
  request.explain = -1;
  CHECK_THAT(check(request).error().message, Catch::Matchers::Contains("explain is -1"));
}

TEST_CASE("A prompt of many chunks is read whole, with progress") {
  const ChatModelFile file;
  const Model model = open_default(file);
  const std::string prompt = long_text(1300);
  Session session = must(model.session());
  std::vector<std::size_t> seen;
  session.set_progress([&](std::size_t done, std::size_t all) {
    CHECK(all == 1300);
    seen.push_back(done);
  });
  const Whole whole = pull_all(must(session.generate(sampled(prompt, 3))));
  REQUIRE(seen.size() >= 3);  // prompt chunks have at most 512 tokens
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.front() <= 512);
  CHECK(seen.back() == 1300);
  CHECK(whole.ids.size() == 3);
  CHECK(session.length() == 1302);  // the last token was not read back
}

TEST_CASE("A session reuses what its cache holds, and the answer is that of a fresh one") {
  for (const bool gemma : {false, true}) {
    ChatFile what;
    if (gemma) what.spec = tiny_gemma3(Dtype::kF32);
    const ChatModelFile file(what);
    const Model model = open_default(file);
    Session session = must(model.session());
    const std::string base = long_text(200);
    pull_all(must(session.generate(sampled(base, 5))));
    // The same again, longer, shorter, and different in the middle.
    for (const std::string& prompt :
         {base, base + "and more", base.substr(0, 90), base.substr(0, 50) + "hello", base}) {
      Stream stream = must(session.generate(sampled(prompt, 12)));
      const std::size_t prompt_size = stream.prompt_ids().size();
      const std::size_t held = session.length();
      CHECK(held < prompt_size);
      must(stream.next());
      CHECK(stream.timing().prefill_tokens == prompt_size - held);
      Whole rest = pull_all(must(session.generate(sampled(prompt, 12))));
      CHECK(rest.ids == generate_alone(model, sampled(prompt, 12)).ids);
    }
  }
}

TEST_CASE("A conversation is not read twice") {
  const ChatModelFile file;
  const Model model = open_default(file);
  Session session = must(model.session());
  Request request;
  request.messages = {{"user", long_text(300)}};
  request.max_tokens = 20;
  const Whole answer = pull_all(must(session.generate(request)));
  request.messages.push_back({"assistant", answer.text});
  request.messages.push_back({"user", "hello"});
  Stream second = must(session.generate(request));
  must(second.next());
  CHECK(second.timing().prefill_tokens < 80);
  session.reset();
  CHECK(session.length() == 0);
  CHECK_FALSE(must(second.next()).has_value());
}

TEST_CASE("Stop strings end the answer and are not part of it, wherever they fall") {
  const ChatModelFile file;
  const Model model = open_default(file);
  const Whole whole = generate_alone(model, sampled("hello", 60));
  for (const std::size_t at : {std::size_t{0}, std::size_t{7}, std::size_t{20}, whole.text.size() - 4}) {
    for (const std::size_t length : {std::size_t{1}, std::size_t{4}}) {
      Request request = sampled("hello", 60);
      const std::string stop = whole.text.substr(at, length);
      request.stop = {"never to be seen", stop};
      const Whole cut = generate_alone(model, request);
      CHECK(cut.text == whole.text.substr(0, whole.text.find(stop)));
      CHECK(cut.finish == Finish::kStop);
      CHECK(std::equal(cut.ids.begin(), cut.ids.end(), whole.ids.begin()));
    }
  }
}

TEST_CASE("EOS ends an answer and is its last token, without text") {
  const ChatModelFile file;
  const Model model = open_default(file);
  bool found = false;
  for (std::uint64_t seed = 0; seed < 20 && !found; ++seed) {
    const Whole whole = generate_alone(model, sampled("hello", 400, seed));
    CHECK(std::count(whole.ids.begin(), whole.ids.end(), V::kEnd) == (whole.finish == Finish::kEos ? 1 : 0));
    if (whole.finish != Finish::kEos) continue;
    found = true;
    CHECK(whole.ids.back() == V::kEnd);
    CHECK(whole.text.find("<|im_end|>") == std::string::npos);
  }
  CHECK(found);
}

TEST_CASE("The context is a limit that is named, never a silent cut") {
  ChatFile what;
  what.spec.context = 64;
  const ChatModelFile file(what);
  const Model model = open_default(file);
  Session session = must(model.session());
  const auto refused = session.generate(sampled(std::string(64, 'x'), 5));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::kInvalidArgument);
  CHECK(refused.error().message.find("64 tokens") != std::string::npos);
  CHECK(refused.error().message.find("context holds 64") != std::string::npos);
  for (const int n : {-1, 1000}) {
    const Whole full = pull_all(must(session.generate(sampled(std::string(50, 'x'), n))));
    CHECK((full.ids.size() == 14 || full.finish == Finish::kEos));
  }
  CHECK(pull_all(must(session.generate(sampled("x", 0)))).finish == Finish::kLength);
  CHECK(must(session.generate(sampled("x", 0))).ids().empty());
}

TEST_CASE("Log-probabilities are those of score, whatever the sampler does") {
  const ChatModelFile file;
  const Model model = open_default(file);
  Request request = sampled("hello", 12);
  request.sampling.temperature = 0.5F;
  request.sampling.top_k = 5;
  request.logprobs = 3;
  const Whole whole = generate_alone(model, request);
  Ids all = must(model.tokenize("hello"));
  const std::size_t prompt = all.size();
  all.insert(all.end(), whole.ids.begin(), whole.ids.end());
  Session session = must(model.session());
  const Score score = must(session.score(all));
  REQUIRE(score.logprobs.size() == all.size());
  CHECK(std::isnan(score.logprobs[0]));
  // Tiles round what is scored to bf16, but not what is generated: 0.007 apart.
  const double margin = model.info().isa.starts_with("amx") ? 0.02 : 1e-4;
  for (std::size_t i = 0; i < whole.tokens.size(); ++i) {
    const Token& token = whole.tokens[i];
    CHECK(token.logprob == Approx(score.logprobs[prompt + i]).margin(margin));
    REQUIRE(token.top.size() == 3);
    CHECK(token.top[0].first == score.top1[prompt + i]);
    CHECK(token.top[0].second >= token.top[1].second);
    CHECK(token.top[1].second >= token.top[2].second);
    for (const auto& [id, logprob] : token.top) {
      if (id == token.id) CHECK(logprob == token.logprob);
    }
  }
}

TEST_CASE("A cancelled call leaves the session as it was, and can be repeated") {
  const ChatModelFile file;
  const Model model = open_default(file);
  const Request request = sampled(long_text(700), 10);
  const Whole expected = generate_alone(model, request);
  Session session = must(model.session());
  CancelFlag cancel;
  session.set_cancel(&cancel);
  Stream stream = must(session.generate(request));
  Ids ids;
  for (int i = 0; i < 10; ++i) {
    cancel.set();
    const std::size_t before = session.length();
    CHECK(stream.next().error().code == ErrorCode::kCancelled);
    CHECK(session.length() == before);
    cancel.clear();
    ids.push_back(must(stream.next())->id);
  }
  CHECK(ids == expected.ids);
  cancel.set();
  CHECK(session.score(must(model.tokenize("hello"))).error().code == ErrorCode::kCancelled);
}

TEST_CASE("A stream ends with the next one, and can be stopped") {
  const ChatModelFile file;
  const Model model = open_default(file);
  Session session = must(model.session());
  Stream first = must(session.generate(sampled("hello", 10)));
  must(first.next());
  Stream second = must(session.generate(sampled("hello", 10)));
  CHECK_FALSE(must(first.next()).has_value());
  CHECK(first.finish() == Finish::kNone);
  must(second.next());
  second.stop();
  CHECK(second.finish() == Finish::kStop);
  CHECK_FALSE(must(second.next()).has_value());
  CHECK(second.ids().size() == 1);
}

TEST_CASE("A stream may outlive its session") {
  const ChatModelFile file;
  std::optional<Stream> stream;
  {
    const Model model = open_default(file);
    Session session = must(model.session());
    stream = must(session.generate(sampled("hello", 3)));
  }
  CHECK(pull_all(std::move(*stream)).ids.size() == 3);
}

TEST_CASE("A wrong request is refused before anything is computed, and names what is wrong") {
  const ChatModelFile file;
  const Model model = open_default(file);
  Session session = must(model.session());
  const auto refusal = [&](auto change) {
    Request request = sampled("hello", 5);
    change(request);
    auto stream = session.generate(request);
    REQUIRE_FALSE(stream);
    CHECK(stream.error().code == ErrorCode::kInvalidArgument);
    CHECK(session.length() == 0);
    return stream.error().message;
  };
  CHECK(refusal([](Request& r) { r.ids = {1}; }).find("2 of prompt, messages and ids") != std::string::npos);
  CHECK(refusal([](Request& r) { r.prompt = ""; }).find("empty") != std::string::npos);
  CHECK(refusal([](Request& r) { r.stop = {""}; }).find("stop") != std::string::npos);
  CHECK(refusal([](Request& r) { r.logprobs = 100000; }).find("logprobs is 100000") != std::string::npos);
  CHECK(refusal([](Request& r) { r.sampling.temperature = -1; }).find("temperature") != std::string::npos);
  CHECK(refusal([](Request& r) { r.sampling.samplers = {"nonsense"}; }).find("nonsense") !=
        std::string::npos);
  CHECK(refusal([](Request& r) {
          r.prompt = "";
          r.ids = {1, V::kSize};
        }).find("token 1 is 263") != std::string::npos);
}

TEST_CASE("A cache that is too small is an error of the request, and the session stays usable") {
  const ChatModelFile file;
  OpenOptions options;
  options.cache_bytes = 200 * 256;  // 256 bytes a token: three pages of 64 tokens
  const Model model = must(Model::open(file.path(), options));
  Session session = must(model.session());
  Stream stream = must(session.generate(sampled(long_text(300), 5)));
  CHECK(stream.next().error().code == ErrorCode::kOutOfMemory);
  CHECK(stream.next().error().code == ErrorCode::kOutOfMemory);
  CHECK(pull_all(must(session.generate(sampled(long_text(100), 5)))).ids.size() == 5);
}

TEST_CASE("Sampling describes itself") {
  Sampling sampling;
  sampling.temperature = 0.8F;
  sampling.top_p = 0.95F;
  const std::string text = must(describe(sampling));
  CHECK(text.find("temperature") < text.find("top_p"));
  CHECK(text.find("top_k") == std::string::npos);
  sampling.samplers = {"top_p", "temperature"};
  const std::string turned = must(describe(sampling));
  CHECK(turned.find("top_p") < turned.find("temperature"));
  CHECK(known_samplers().size() >= 5);

  Sampling named;
  CHECK(named.set("temperature", 0.8));
  CHECK(named.set("top_k", 40.0));
  CHECK(named.temperature == 0.8F);
  CHECK(named.top_k == 40);
  CHECK(named.set("top_k", 1.5).error().message.find("top_k is 1.5") != std::string::npos);
  CHECK(named.set("tok_p", 1.0).error().message.find("top_p") != std::string::npos);
  CHECK(named.top_k == 40);
  named.options["top_k"] = 7.0;
  CHECK(*describe(named) == "temperature 0.8, top_k 7");
  CHECK(named.set("top_k", 8.0));
  CHECK(*describe(named) == "temperature 0.8, top_k 8");

  CHECK(describe(must(preset("huggingface")))->empty());
  Sampling llama = must(preset("llama.cpp"));
  CHECK(*describe(llama) == "top_k 40, top_p 0.95, min_p 0.05, temperature 0.8");
  CHECK(llama.samplers.size() == known_samplers().size());
  CHECK(llama.set("mirostat", 2.0));
  CHECK(llama.set("typical_p", 0.9));
  llama.temperature = 0.5F;
  CHECK(must(describe(llama)) ==
        "top_k 40, typical_p 0.9, top_p 0.95, min_p 0.05, temperature 0.5, mirostat 2 tau 5 eta 0.1");
  CHECK(preset("llama").error().message == "there is no preset 'llama'; there are huggingface, llama.cpp");
}

}  // namespace
}  // namespace partita::internal::testing
