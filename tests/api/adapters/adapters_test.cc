// Requests with LoRA adapters: what merged weights give, alone and in company, and refusals.
#include <cmath>
#include <limits>
#include <map>
#include <memory>

#include "tests/api/adapters/random_adapter.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

constexpr float kMost = 1e-4F;  // between logits

std::string recorded(const std::string& family) {
  return std::string(PARTITA_TEST_DATA) + "/families/" + family + ".gguf";
}

Gguf open_file(const std::string& path) { return must(Gguf::open(path)); }

Model open_with(const std::string& path, int threads, bool exact = false) {
  OpenOptions options;
  options.threads = threads;
  options.exact = exact;
  return must(Model::open(path, options));
}

Model open_exact(const std::string& path) { return open_with(path, 2, true); }

std::vector<TokenId> some_ids(std::size_t n) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < n; ++i) ids.push_back(static_cast<TokenId>((i * 37 + 11) % 120));
  return ids;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

std::vector<float> logits(const Model& model, std::span<const AppliedAdapter> adapters) {
  return must(must(model.session()).logits(some_ids(20), 20, adapters));
}

TEST_CASE("an adapter gives the logits of merged weights") {
  const std::string family =
      GENERATE("llama3", "qwen2", "qwen3", "gemma2", "gemma3_linear", "qwen3moe", "mixtral", "phi3", "gpt2",
               "olmoe", "gpt_oss", "llama4", "stablelm", "granitemoeshared", "qwen35", "gemma3n", "lfm2");
  CAPTURE(family);
  const Gguf file = open_file(recorded(family));
  const WrittenFile one(random_adapter(file, {.seed = 1, .rank = 3}), "one.gguf");
  const WrittenFile two(random_adapter(file, {.seed = 2, .rank = 17, .alpha = 16}), "two.gguf");
  const Model model = open_exact(recorded(family));
  const std::vector<AppliedAdapter> adapters = {{must(Adapter::open(one.path(), model)), 1},
                                                {must(Adapter::open(two.path(), model)), -0.5F}};
  const Gguf of_one = open_file(one.path()), of_two = open_file(two.path());
  const WrittenFile whole(merged(file, {{&of_one, 1}, {&of_two, -0.5}}), "merged.gguf");
  const std::vector<float> adapted = logits(model, adapters);
  CHECK(largest_difference(adapted, logits(open_exact(whole.path()), {})) < kMost);
  CHECK(largest_difference(adapted, logits(model, {})) > 0.1F);
}

/// Four adapters of a model, two of which change its embedding and its output.
class FourAdapters {
 public:
  explicit FourAdapters(const Gguf& model) {
    const std::vector<std::string> few = {"blk.0.attn_q.weight", "blk.1.ffn_down.weight"};
    for (std::size_t i = 0; i < 4; ++i) {
      const AdapterSpec spec{i + 1, 2 + 5 * i, 40, i % 2 == 0 ? matrices_of(model) : few};
      files_.push_back(std::make_unique<WrittenFile>(random_adapter(model, spec),
                                                     "adapter" + std::to_string(i) + ".gguf"));
    }
  }
  std::vector<Adapter> open(const Model& model) const {
    std::vector<Adapter> adapters;
    for (const auto& file : files_) adapters.push_back(must(Adapter::open(file->path(), model)));
    return adapters;
  }

 private:
  std::vector<std::unique_ptr<WrittenFile>> files_;
};

/// Requests with the same prompts and other adapters: none, one of four, or two at once.
std::vector<Request> adapted_requests(const std::vector<Adapter>& adapters) {
  std::vector<Request> requests;
  for (std::size_t i = 0; i < 24; ++i) {
    Request request;
    for (std::size_t n = 0; n < 70 + 3 * i; ++n)
      request.ids.push_back(static_cast<TokenId>(97 + (n * n) % 26));
    request.max_tokens = 12;
    request.logprobs = 1;
    request.sampling.temperature = i % 3 == 0 ? 0.0F : 1.0F;
    request.sampling.sequence = i;
    if (i % 6 < 4) request.adapters = {{adapters[i % 6], 1}};
    if (i % 6 == 4) request.adapters = {{adapters[0], 0.5F}, {adapters[3], 2}};
    if (i % 5 == 4) request.guidance_scale = 1.5F;
    requests.push_back(std::move(request));
  }
  return requests;
}

struct Answered {
  std::vector<TokenId> ids;
  std::vector<float> logprobs;
  bool operator==(const Answered&) const = default;
};

void keep(const Token& token, Answered& to) {
  to.ids.push_back(token.id);
  to.logprobs.push_back(token.logprob);
}

std::vector<Answered> answer_together(const Model& model, const std::vector<Request>& requests,
                                      std::size_t sequences) {
  BatchOptions options;
  options.max_sequences = sequences;
  Batch batch = must(model.batch(options));
  std::map<Batch::Ticket, std::size_t> indices;
  std::vector<Answered> answers(requests.size());
  std::vector<Batch::Event> events;
  for (std::size_t next = 0; next < requests.size() || batch.running() > 0;) {
    for (; next < requests.size() && !batch.full(); ++next) indices[must(batch.add(requests[next]))] = next;
    events.clear();
    const auto done = batch.advance(events);
    REQUIRE(done);
    for (const Batch::Event& event : events) {
      REQUIRE(!event.error);
      if (event.token) keep(*event.token, answers[indices.at(event.ticket)]);
    }
  }
  return answers;
}

TEST_CASE("answers with adapters do not depend on the batch or on threads") {
  const Dtype dtype = GENERATE(Dtype::kF32, Dtype::kQ4_1, Dtype::kQ8_0);
  ChatFile what;
  what.spec = tiny_llama(dtype);
  const ChatModelFile file(what);
  const FourAdapters four(open_file(file.path()));
  const Model alone = open_with(file.path(), 1);
  const std::vector<Request> requests = adapted_requests(four.open(alone));
  std::vector<Answered> expected;
  for (const Request& request : requests) {
    Answered& answer = expected.emplace_back();
    for (const Token& token : generate_alone(alone, request).tokens) keep(token, answer);
  }
  for (const int threads : {1, 2, 3}) {
    CAPTURE(threads);
    const Model model = open_with(file.path(), threads);
    const std::vector<Request> own = adapted_requests(four.open(model));
    CHECK(answer_together(model, own, 24) == expected);
    CHECK(answer_together(model, own, 5) == expected);
  }
}

TEST_CASE("a session keeps nothing of other adapters") {
  const ChatModelFile file;
  const FourAdapters four(open_file(file.path()));
  const Model model = open_with(file.path(), 2);
  const auto adapters = four.open(model);
  Session session = must(model.session());
  const auto answer = [&](std::vector<AppliedAdapter> applied) {
    Request request;
    request.prompt = long_text(150);
    request.max_tokens = 8;
    request.sampling.temperature = 0;
    request.adapters = std::move(applied);
    const Whole alone = generate_alone(model, request);
    Stream stream = must(session.generate(request));
    const Whole whole = pull_all(std::move(stream));
    CHECK(whole.ids == alone.ids);
    CHECK(must(session.logits(some_ids(70), 2, request.adapters)) ==
          must(must(model.session()).logits(some_ids(70), 2, request.adapters)));
    return whole.ids;
  };
  const auto plain = answer({}), changed = answer({{adapters[2], 1}});
  CHECK(plain != changed);
  CHECK(answer({}) == plain);
  CHECK(answer({{adapters[2], 0}}) == plain);
  CHECK(answer({{adapters[2], 1}, {adapters[0], 0}}) == changed);
}

bool says(const std::string& message, const char* part) {
  if (message.find(part) == std::string::npos) UNSCOPED_INFO(message);
  return message.find(part) != std::string::npos;
}

TEST_CASE("a session file belongs to its adapters") {
  const ChatModelFile file;
  const FourAdapters four(open_file(file.path()));
  const Model model = open_with(file.path(), 2);
  const auto adapters = four.open(model);
  const std::vector<AppliedAdapter> own = {{adapters[1], 1}, {adapters[2], 0.25F}}, none;
  const std::string path = file.path() + ".session";
  Request request;
  request.prompt = long_text(150);
  request.max_tokens = 8;
  request.sampling.temperature = 0;
  request.adapters = own;
  Session session = must(model.session());
  const Whole first = pull_all(must(session.generate(request)));
  must(session.save(path, "note").ok(), "not saved");
  CHECK(must(session_note(path)) == "note");

  Session other = must(model.session());
  CHECK(says(other.load(path).error().message,
             "the adapters 'adapter1' (scale 1), 'adapter2' (scale 0.25), and this session has no adapters"));
  CHECK(says(other.load(path, std::vector<AppliedAdapter>{{adapters[1], 1}}).error().message,
             "and this session has the adapter 'adapter1' (scale 1)"));
  CHECK(must(other.load(path, own)) == "note");
  CHECK(other.length() == session.length());
  Stream again = must(other.generate(request));
  CHECK(pull_all(std::move(again)).ids == first.ids);

  must(must(model.session()).save(path).ok(), "not saved");
  CHECK(says(other.load(path, own).error().message, "was made with no adapters"));
  std::filesystem::remove(path);
}

TEST_CASE("adapters that cannot be applied are refused by name") {
  const ChatModelFile file;
  const Gguf gguf = open_file(file.path());
  const Model model = open_with(file.path(), 1), other = open_with(file.path(), 1);
  const auto refused = [&](GgufWriter writer) {
    const WrittenFile written(writer, "refused.gguf");
    const auto adapter = Adapter::open(written.path(), model);
    REQUIRE(!adapter);
    return adapter.error().message;
  };
  const auto header = [] {
    GgufWriter writer;
    writer.add("general.type", "adapter").add("general.architecture", "llama");
    writer.add("adapter.type", "lora").add("adapter.lora.alpha", 4.0F);
    return writer;
  };
  const auto pair = [&](const std::string& name, std::vector<std::uint64_t> a, std::vector<std::uint64_t> b,
                        float value = 0) {
    GgufWriter writer = header();
    const std::vector<float> of_a(a[0] * a[1], value), of_b(b[0] * b[1], value);
    writer.add_tensor(name + ".lora_a", Dtype::kF32, a, std::span<const float>(of_a));
    writer.add_tensor(name + ".lora_b", Dtype::kF32, b, std::span<const float>(of_b));
    return writer;
  };
  const std::string q = "blk.0.attn_q.weight";
  CHECK(says(refused(pair(q, {2, 96}, {97, 2})), "97 x 96, and the model has one of 96 x 96"));
  CHECK(says(refused(pair(q, {2, 96}, {96, 3})), "must be the same"));
  CHECK(says(refused(pair(q, {2000, 96}, {96, 2000})), "the limit is 1024"));
  CHECK(says(refused(pair("blk.7.attn_q.weight", {2, 96}, {96, 2})), "no such matrix"));
  CHECK(says(refused(pair("output_norm.weight", {2, 96}, {96, 2})), "no such matrix"));
  CHECK(says(refused(pair(q, {2, 96}, {96, 2}, std::numeric_limits<float>::infinity())), "not finite"));
  CHECK(says(refused(header()), "no tensors"));
  GgufWriter single = header();
  single.add_tensor(q + ".lora_a", Dtype::kF32, {2, 96}, std::span<const float>(std::vector<float>(192)));
  CHECK(says(refused(single), "and no 'blk.0.attn_q.weight.lora_b'"));
  GgufWriter norm = header();
  norm.add_tensor("output_norm.weight", Dtype::kF32, {96}, std::span<const float>(std::vector<float>(96)));
  CHECK(says(refused(norm), "another way than LoRA"));
  GgufWriter of_other;
  of_other.add("general.type", "adapter").add("general.architecture", "gemma3").add("adapter.type", "lora");
  CHECK(says(refused(of_other), "general.architecture 'gemma3', and 'llama' is expected"));
  const auto no_adapter = Adapter::open(file.path(), model);
  REQUIRE(!no_adapter);
  CHECK(says(no_adapter.error().message, "and 'adapter' is expected"));

  const WrittenFile good(random_adapter(gguf, {}), "good.gguf");
  Request request;
  request.prompt = "a";
  request.adapters = {{must(Adapter::open(good.path(), other)), 1}};
  Session session = must(model.session());
  CHECK(says(session.generate(request).error().message, "opened for another model"));
  request.adapters = {{must(Adapter::open(good.path(), model)), std::numeric_limits<float>::quiet_NaN()}};
  CHECK(says(session.generate(request).error().message, "must be from -1000 to 1000"));
  request.adapters[0].scale = 1001;
  CHECK(says(session.generate(request).error().message, "is 1001; it must be from -1000 to 1000"));
  request.adapters[0].scale = -1000;
  CHECK(session.generate(request).ok());
  request.adapters.assign(17, {must(Adapter::open(good.path(), model)), 1});
  CHECK(says(session.generate(request).error().message, "17 adapters; the limit is 16"));
}

}  // namespace
}  // namespace partita::internal::testing
