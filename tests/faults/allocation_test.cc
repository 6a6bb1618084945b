// The nth allocation fails, once or from then on, for every n: public calls give an error value, lose no
// memory, and answer afterwards as if nothing had been.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <vector>

#include "tests/api/adapters/random_adapter.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/faults/sweep.h"
#include "weights/catch_all.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;

/// A directory that goes with its owner.
struct TemporaryDirectory {
  explicit TemporaryDirectory(const std::string& name)
      : path(fs::temp_directory_path() / (name + "-" + std::to_string(getpid()))) {
    fs::create_directories(path);
  }
  ~TemporaryDirectory() { fs::remove_all(path); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
  const fs::path path;
};

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

ChatFile with_head(const std::string& kind) {
  ChatFile what;
  what.head = kind;
  what.bands = kind == "adaptive" || kind == "classes";
  return what;
}

Model open(const std::string& path, int threads = 1, HeadKind head = HeadKind::kAuto) {
  OpenOptions options;
  options.threads = threads;
  options.head = head;
  options.cache_bytes = std::size_t{4} << 20;  // lost pages would be missed soon
  return must(Model::open(path, options));
}

void succeed(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

Request a_request(int tokens = 10) {
  Request request;
  request.messages = {{"system", "be short"}, {"user", "hello hello"}};
  request.max_tokens = tokens;
  request.sampling.seed = 5;
  request.sampling.temperature = 0.9F;
  request.sampling.top_p = 0.95F;
  return request;
}

/// All that a token can carry, from a chain that remembers.
Request a_demanding_request() {
  Request request = a_request();
  request.logprobs = 2;
  request.confidence = true;
  request.explain = 2;
  request.stop = {"no such text"};
  request.sampling.repeat_penalty = 1.1F;
  for (const auto& [name, value] : std::map<std::string, SamplingValue>{
           {"presence_penalty", 0.5}, {"dry_multiplier", 0.8}, {"mirostat", 2.0}, {"xtc_probability", 0.2}})
    succeed(request.sampling.set(name, value));
  return request;
}

std::string text_of(const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids) text += std::to_string(id) + " ";
  return text;
}

Result<std::string> pull(Stream& stream) {
  std::string text;
  while (true) {
    auto token = stream.next();
    if (!token) return token.error();
    if (!*token) return text + std::string(name(stream.finish()));
    text += std::to_string((*token)->id) + " " + (*token)->text + " ";
  }
}

/// A whole answer of a session that forgets what was before.
Result<std::string> generate(Session& session, const Request& request) {
  session.reset();
  auto stream = session.generate(request);
  if (!stream) return stream.error();
  return pull(*stream);
}

TEST_CASE("Memory runs out while a model is opened") {
  const ChatModelFile file;
  OpenOptions options;
  options.threads = 1;
  sweep_allocations("open", [&]() -> Result<std::string> {
    auto model = Model::open(file.path(), options);
    if (!model) return model.error();
    return model->info().head + std::to_string(model->info().bytes_per_token);
  });
  sweep_allocations("inspect", [&] { return inspect_json(file.path()); });
  sweep_allocations("diagnose", [&]() -> Result<std::string> {
    const auto findings = diagnose(file.path(), {.threads = 1, .progress = {}});
    if (!findings) return findings.error();
    std::string text;
    for (const Finding& finding : *findings) text += finding.message + "; ";
    return text;
  });
}

TEST_CASE("Memory runs out while an answer is generated") {
  const ChatModelFile file;
  const Model model = open(file.path());
  Session session = must(model.session());
  for (const Request& request : {a_request(), a_demanding_request()}) {
    sweep_allocations("generate", [&] { return generate(session, request); });
  }
  Request guided = a_request();
  guided.guidance_scale = 1.5F;
  sweep_allocations("generate with guidance", [&] { return generate(session, guided); });

  Session drafting = must(model.session());
  succeed(drafting.draft_with(model));
  Request drafted = a_request(16);
  drafted.speculation = Speculation::kAlways;
  sweep_allocations("generate with a draft model", [&] { return generate(drafting, drafted); });

  const Model two = open(file.path(), 2);
  Session both = must(two.session());
  const Request demanding = a_demanding_request();
  sweep_allocations("generate on two threads", [&] { return generate(both, demanding); });
  sweep_allocations("a session", [&]() -> Result<std::string> {
    auto fresh = model.session();
    if (!fresh) return fresh.error();
    return std::to_string(fresh->length());
  });
}

TEST_CASE("Memory runs out in every head") {
  for (const std::string kind : {"adaptive", "classes", "tree", "mixture"}) {
    const ChatModelFile file(with_head(kind));
    for (const int threads : {1, 2}) {
      const Model model = open(file.path(), threads);
      Session session = must(model.session());
      Request plain = a_request(4);
      plain.sampling.temperature = 1;
      plain.sampling.top_p = 1;
      Request more = plain;
      more.logprobs = 2;
      sweep_allocations(kind, [&] { return generate(session, plain); });
      sweep_allocations(kind + " with logprobs", [&] { return generate(session, more); });
    }
  }
}

TEST_CASE("Memory runs out while a conversation goes on") {
  const ChatModelFile file;
  const Model model = open(file.path());
  Session session = must(model.session());
  const Request first = a_request();
  Request second = first;
  second.messages.push_back({"assistant", "yes"});
  second.messages.push_back({"user", "hello"});
  const auto answer = [&](const Request& request) -> Result<std::string> {
    auto stream = session.generate(request);
    if (!stream) return stream.error();
    return pull(*stream);
  };
  sweep_allocations("two turns", [&]() -> Result<std::string> {
    auto one = answer(first);
    if (!one) return one;
    auto two = answer(second);
    if (!two) return two;
    return *one + *two;
  });
}

TEST_CASE("Memory runs out while a session is saved, loaded and forked") {
  const ChatModelFile file;
  const TemporaryDirectory directory("faults-sessions");
  const std::string path = (directory.path / "chat").string();
  const Model model = open(file.path());
  Session session = must(model.session());
  must(generate(session, a_request()));
  sweep_allocations("save", [&]() -> Result<std::string> {
    auto saved = session.save(path, "a note");
    if (!saved) return saved.error();
    return std::string("saved");
  });
  CHECK(directory.files() == 1);  // nothing half written beside it
  const std::string saved = contents(path);

  Session other = must(model.session());
  sweep_allocations("load", [&]() -> Result<std::string> {
    auto note = other.load(path);
    if (!note) return note.error();
    return *note + std::to_string(other.length());
  });
  succeed(other.save(path, "a note"));
  CHECK(contents(path) == saved);
  sweep_allocations("fork", [&]() -> Result<std::string> {
    auto forked = session.fork();
    if (!forked) return forked.error();
    return std::to_string(forked->length());
  });
}

TEST_CASE("Memory runs out while an adapter is opened and applied") {
  const ChatModelFile file;
  const WrittenFile adapter(random_adapter(must(Gguf::open(file.path())), {.seed = 1, .rank = 2}),
                            "adapter.gguf");
  const Model model = open(file.path());
  sweep_allocations("open an adapter", [&]() -> Result<std::string> {
    auto opened = Adapter::open(adapter.path(), model);
    if (!opened) return opened.error();
    return std::to_string(opened->info().digest);
  });
  Request request = a_request();
  request.adapters = {{must(Adapter::open(adapter.path(), model)), 1}};
  sweep_allocations("answer with an adapter", [&]() -> Result<std::string> {
    auto session = model.session();
    if (!session) return session.error();
    return generate(*session, request);
  });
}

TEST_CASE("Memory runs out while chats and texts are tokenized") {
  const ChatModelFile file;
  const Model model = open(file.path());
  const std::vector<Message> messages = {{"user", "hello \xC3\xA9 <|im_end|>"}, {"assistant", "yes"}};
  const auto text_of_ids = [](const Result<std::vector<TokenId>>& ids) -> Result<std::string> {
    if (!ids) return ids.error();
    return text_of(*ids);
  };
  sweep_allocations("tokenize_chat", [&] { return text_of_ids(model.tokenize_chat(messages, true)); });
  sweep_allocations("tokenize", [&] {
    return text_of_ids(model.tokenize("hello, hell and h\xC3\xA9llo <|im_start|> 12345\n\n  \xFF"));
  });
  std::string text;
  for (int i = 0; i < 20; ++i) text += "hello hell \xE2\x82\xAC ";
  const auto ids = must(model.tokenize(text));
  REQUIRE(must(model.detokenize(ids)).size() > 100);  // longer than what a string holds without memory
  sweep_allocations("detokenize", [&] { return model.detokenize(ids); });
}

TEST_CASE("Memory runs out while a text is scored") {
  const ChatModelFile file;
  const Model model = open(file.path());
  Session session = must(model.session()), reference = must(model.session());
  const auto ids = must(model.tokenize("hello hello and so on, hello"));
  sweep_allocations("score", [&]() -> Result<std::string> {
    auto score = session.score(ids);
    if (!score) return score.error();
    return std::to_string(score->nll);
  });
  sweep_allocations("score_against", [&]() -> Result<std::string> {
    auto score = session.score_against(ids, reference);
    if (!score) return score.error();
    return std::to_string(score->first.nll + score->second.kl_max);
  });
  sweep_allocations("logits", [&]() -> Result<std::string> {
    auto logits = session.logits(ids, 2);
    if (!logits) return logits.error();
    return std::to_string(logits->front() + logits->back());
  });
}

TEST_CASE("Memory runs out during searches") {
  const ChatModelFile file;
  const Model model = open(file.path());
  Session session = must(model.session());
  Request request = a_request(6);
  request.sampling = {};
  request.stop = {"no such text"};
  const auto search = [&](const Request& asked, const Search& how) -> Result<std::string> {
    session.reset();
    auto found = session.search(asked, how);
    if (!found) return found.error();
    std::string text;
    for (const Hypothesis& answer : found->answers) text += text_of(answer.ids) + answer.text;
    return text;
  };
  Search beams;
  beams.beams = 3;
  beams.n_best = 2;
  sweep_allocations("beam search", [&] { return search(request, beams); });
  Request penalized = request;
  penalized.sampling.repeat_penalty = 1.2F;
  sweep_allocations("beam search with samplers", [&] { return search(penalized, beams); });
  Search best;
  best.best_of = 3;
  best.n_best = 3;
  sweep_allocations("best of three", [&] { return search(request, best); });
  Search contrastive;
  contrastive.penalty_alpha = 0.6F;
  Request among = request;
  among.sampling.top_k = 4;
  sweep_allocations("contrastive search", [&] { return search(among, contrastive); });
}

TEST_CASE("Memory runs out in an ensemble") {
  const ChatModelFile file;
  const Model model = open(file.path());
  Ensemble ensemble = must(Ensemble::create({{model, 1}, {model, 2}}, EnsembleSpace::kProbability));
  sweep_allocations("ensemble", [&]() -> Result<std::string> {
    ensemble.reset();
    auto stream = ensemble.generate(a_request());
    if (!stream) return stream.error();
    return pull(*stream);
  });
  sweep_allocations("an ensemble is made", [&]() -> Result<std::string> {
    auto made = Ensemble::create({{model, 1}, {model, 2}}, EnsembleSpace::kLogit);
    if (!made) return made.error();
    return std::string("made");
  });
}

TEST_CASE("Memory runs out while a screen is made, and in the heads that use it") {
  const ChatModelFile file;
  const TemporaryDirectory directory("faults-prepare");
  const std::string path = (directory.path / "a.screen").string();
  PrepareOptions options;
  options.threads = 1;
  options.path = path;
  options.states = 1;  // as few as there can be
  sweep_allocations("prepare",
                    [&]() -> Result<std::string> {
                      fs::remove(path);
                      auto made = prepare(file.path(), options);
                      if (!made && directory.files() != 0)
                        return Error{ErrorCode::kIo, "a failed call left a file"};
                      if (!made) return made.error();
                      return std::to_string(made->screen_bytes);
                    },
                    {.positions = 400});

  options.path.clear();
  must(prepare(file.path(), options));
  for (const int threads : {1, 2}) {
    const Model model = open(file.path(), threads, HeadKind::kScreened);
    Session session = must(model.session());
    sweep_allocations("screened", [&] { return generate(session, a_request()); }, {.positions = 400});
  }
  OpenOptions few;
  few.threads = 1;
  few.head_budget = 64;
  const Model budgeted = must(Model::open(file.path(), few));
  Session session = must(budgeted.session());
  sweep_allocations("budgeted", [&] { return generate(session, a_request()); });
  fs::remove(file.path() + ".screen");
}

TEST_CASE("Memory runs out where settings are described") {
  Sampling sampling = a_demanding_request().sampling;
  sweep_allocations("describe", [&] { return describe(sampling); });
  sweep_allocations("preset", []() -> Result<std::string> {
    auto made = preset("llama.cpp");
    if (!made) return made.error();
    return made->samplers.front();
  });
  sweep_allocations("an unknown model", []() -> Result<std::string> {
    auto found = find_model("no-such-model");
    if (found || found.error().code != ErrorCode::kNotFound) return found;
    return found.error().message;
  });
}

}  // namespace
}  // namespace partita::internal::testing
