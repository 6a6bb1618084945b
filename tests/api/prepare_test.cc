// Screens of LM heads: made, found, refused when damaged or of another model.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/sanitized.h"
#include "weights/hash.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<char>;
using Catch::Matchers::Contains;

std::string screen_of(const ChatModelFile& file) { return file.path() + ".screen"; }

Bytes read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const std::string& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
/// Makes the checksum fit the changed bytes.
Bytes summed(Bytes bytes) {
  Hash64 hash;
  hash.add(std::as_bytes(std::span(bytes)).first(bytes.size() - sizeof(std::uint64_t)));
  const std::uint64_t sum = hash.sum();
  std::memcpy(bytes.data() + bytes.size() - sizeof sum, &sum, sizeof sum);
  return bytes;
}

/// A model file; its screen is deleted with it.
struct Prepared {
  explicit Prepared(std::uint64_t seed = 1) : file(with_seed(seed)) { result = must(prepare(file.path())); }
  ~Prepared() {
    std::error_code ignored;
    fs::remove(screen_of(file), ignored);
  }
  static ChatFile with_seed(std::uint64_t seed) {
    ChatFile what;
    what.spec.seed = seed;
    return what;
  }
  ChatModelFile file;
  PrepareResult result;
};

Model open(const ChatModelFile& file, HeadKind head) {
  OpenOptions options;
  options.head = head;
  return must(Model::open(file.path(), options));
}

std::vector<Request> every_request() {
  std::vector<Request> all;
  for (const float temperature : {0.0F, 0.8F, 1.0F, 1.3F}) {
    for (const int top_k : {0, 40}) {
      for (const float top_p : {1.0F, 0.95F}) {
        Request request;
        request.prompt = "hello there";
        request.max_tokens = 40;
        request.sampling.temperature = temperature;
        request.sampling.top_k = top_k;
        request.sampling.top_p = top_p;
        request.sampling.seed = all.size();
        all.push_back(request);
      }
    }
  }
  return all;
}

TEST_CASE("A prepared model answers as an unprepared one does, and looks at fewer bytes") {
  const Prepared prepared;
  CHECK(prepared.result.path == screen_of(prepared.file));
  CHECK(prepared.result.states >= 4096);
  CHECK(prepared.result.screen_bytes < prepared.result.head_bytes);
  CHECK(prepared.result.full_s > 0);
  CHECK(prepared.result.screened_s > 0);
  const Model full = open(prepared.file, HeadKind::kFull), screened = open(prepared.file, HeadKind::kAuto);
  CHECK(full.info().head == "full");
  CHECK(screened.info().head == "screened");
  CHECK(screened.info().head_refused.empty());
  CHECK(screened.info().bytes_per_token < full.info().bytes_per_token);
  std::size_t fewer = 0, tokens = 0;
  for (const Request& request : every_request()) {
    const Whole expected = generate_alone(full, request), answer = generate_alone(screened, request);
    REQUIRE(answer.ids == expected.ids);
    for (const Token& token : answer.tokens) fewer += token.head_bytes < prepared.result.head_bytes ? 1 : 0;
    tokens += answer.tokens.size();
    for (const Token& token : expected.tokens) REQUIRE(token.head_bytes == prepared.result.head_bytes);
  }
  CAPTURE(fewer, tokens);
  CHECK(fewer > 0);  // few: so small a model is sure of nothing

  BenchOptions few;
  few.prefill = few.decode = 4;
  few.repeat = 1;
  const BenchResult measured = must(bench(full, few));
  CHECK(measured.head_bytes == Approx(static_cast<double>(prepared.result.head_bytes)));

  OpenOptions exact;
  exact.exact = true;
  exact.head = HeadKind::kScreened;
  CHECK(must(Model::open(prepared.file.path(), exact)).info().head == "full");
}

TEST_CASE("A budget of logits: all of them are the full head's, few cost what is measured") {
  const Prepared prepared;
  const Model full = open(prepared.file, HeadKind::kFull);
  const auto with = [&](std::size_t budget) {
    OpenOptions options;
    options.head_budget = budget;
    return must(Model::open(prepared.file.path(), options));
  };
  const Model all = with(ChatVocabulary::kSize), few = with(20), one = with(1);
  CHECK(few.info().head == "budgeted");
  for (const Request& request : every_request()) {
    REQUIRE(generate_alone(all, request).ids == generate_alone(full, request).ids);
    const Whole answer = generate_alone(few, request);
    for (const Token& token : answer.tokens) CHECK(token.head_bytes < prepared.result.head_bytes);
  }
  const std::vector<TokenId> text = generate_alone(full, every_request()[8]).ids;
  const auto apart = [&](const Model& model) {
    Session session = must(model.session()), reference = must(full.session());
    return must(session.score_against(text, reference)).second.kl_mean;
  };
  CHECK(apart(all) == 0);
  CHECK(apart(few) > 0);
  CHECK(apart(few) < apart(one));
  CHECK(apart(one) < 0.1);

  BenchOptions options;
  options.prefill = options.decode = 4;
  options.repeat = 1;
  const BenchResult measured = must(bench(few, options));
  CHECK(measured.head_kl.value() > 0);
  CHECK(measured.head_same_top.value() <= 1);
  CHECK_FALSE(must(bench(full, options)).head_kl.has_value());
}

TEST_CASE("A budget that nothing can keep is refused") {
  const ChatModelFile unprepared;
  OpenOptions options;
  options.head_budget = 100;
  const auto missing = Model::open(unprepared.path(), options);
  REQUIRE_FALSE(missing);
  CHECK_THAT(missing.error().message, Contains("make it with partita prepare"));
  options.exact = true;
  const auto exact = Model::open(unprepared.path(), options);
  REQUIRE_FALSE(exact);
  CHECK(exact.error().message == "a budget of 100 logits is for a screened head, not for exact arithmetic");
  options.exact = false;
  options.head = HeadKind::kFull;
  CHECK(Model::open(unprepared.path(), options).error().message ==
        "a budget of 100 logits is for a screened head, not for the full one");
}

TEST_CASE("A batch on the screened head gives what each of its requests gives alone") {
  const Prepared prepared;
  const Model full = open(prepared.file, HeadKind::kFull),
              screened = open(prepared.file, HeadKind::kScreened);
  Batch batch = must(screened.batch(16));
  std::vector<std::string> texts(every_request().size());
  std::vector<Batch::Event> events;
  for (const Request& request : every_request()) (void)must(batch.add(request));
  while (batch.running() > 0) REQUIRE(batch.advance(events));
  for (const Batch::Event& event : events) {
    REQUIRE_FALSE(event.error);
    if (event.token) texts[static_cast<std::size_t>(event.ticket) - 1] += event.token->text;
  }
  for (std::size_t i = 0; i < texts.size(); ++i)
    CHECK(texts[i] == generate_alone(full, every_request()[i]).text);
}

TEST_CASE("A screen that is damaged or another model's is refused with a sentence; the full head answers") {
  const Prepared prepared, other(2);
  const std::string path = screen_of(prepared.file);
  const Bytes good = read(path);
  const Request request = every_request()[5];
  const Whole expected = generate_alone(open(prepared.file, HeadKind::kFull), request);
  const auto refused = [&](const Bytes& bytes, const std::string& why) {
    CAPTURE(why);
    write(path, bytes);
    const Model model = open(prepared.file, HeadKind::kAuto);
    CHECK(model.info().head == "full");
    CHECK_THAT(model.info().head_refused, Contains(path));
    CHECK_THAT(model.info().head_refused, Contains(why));
    CHECK(generate_alone(model, request).ids == expected.ids);
    OpenOptions must_be;
    must_be.head = HeadKind::kScreened;
    const auto failed = Model::open(prepared.file.path(), must_be);
    REQUIRE_FALSE(failed.ok());
    CHECK(failed.error().message == model.info().head_refused);
  };

  refused(read(screen_of(other.file)), "another model");
  Bytes newer = good;
  newer[8] = 3;
  refused(summed(newer), "version 3");
  newer[8] = 1;
  refused(summed(newer), "make it again with partita prepare");
  refused(Bytes(100, 'x'), "is not a screen");
  for (const std::size_t length : {std::size_t{1}, std::size_t{7}, std::size_t{20}, std::size_t{60},
                                   std::size_t{200}, good.size() / 2, good.size() - 9, good.size() - 1}) {
    const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    refused(cut, length < 16 ? "is not a screen" : "is damaged");
    if (length > 16) refused(summed(cut), "is damaged");
  }
  refused(
      [&] {
        Bytes longer = good;
        longer.push_back(0);
        return longer;
      }(),
      "is damaged");
  for (std::size_t at = 40; at < good.size();
       at += test::all_or<std::size_t>(4999, 14999)) {  // anything after the header
    Bytes changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    refused(changed, "is damaged");
  }
  // Numbers that no screen has, under a checksum that fits: all bounds, the arrays, steps and bases.
  const std::size_t rows_at = good.size() - sizeof(std::uint64_t) - prepared.result.screen_bytes;
  const std::size_t steps_at = rows_at + (96 + 32) / 32 * 256;
  const auto with = [&](std::size_t at, auto value) {
    Bytes changed = good;
    std::memcpy(changed.data() + at, &value, sizeof value);
    return summed(changed);
  };
  for (std::size_t bound = 0; bound < 6; ++bound) {
    for (const double value : {-1.0, 1e300, std::numeric_limits<double>::quiet_NaN()})
      refused(with(40 + 8 * bound, value), "is damaged");
  }
  for (const float value :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), -3e38F}) {
    for (const std::size_t at :
         {std::size_t{88}, 88 + 4 * std::size_t{96}, rows_at - 4, steps_at, steps_at + 64})
      refused(with(at, value), "is damaged");
  }
  // The largest numbers that a screen may have, in a forged one: wrong answers at worst.
  Bytes forged = good;
  const double long_rows = 1e7;
  const float long_step = 1e7F;
  std::memcpy(forged.data() + 48, &long_rows, sizeof long_rows);
  std::memcpy(forged.data() + 56, &long_rows, sizeof long_rows);
  std::memcpy(forged.data() + steps_at, &long_step, sizeof long_step);
  write(path, summed(forged));
  const Model fooled = open(prepared.file, HeadKind::kScreened);
  for (const Request& each : every_request()) CHECK(generate_alone(fooled, each).tokens.size() > 0);
  fs::remove(path);
  OpenOptions must_be;
  must_be.head = HeadKind::kScreened;
  CHECK(Model::open(prepared.file.path(), must_be).error().message ==
        "there is no screen \"" + path + "\": make it with partita prepare");
  CHECK(open(prepared.file, HeadKind::kAuto).info().head_refused.empty());
}

TEST_CASE("Screens that would save nothing are not made, and making one can be stopped") {
  ChatFile four_bits;
  four_bits.spec = tiny_llama(Dtype::kQ4_0);
  const ChatModelFile small(four_bits);
  const auto none = prepare(small.path());
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == ErrorCode::kUnsupported);
  CHECK_THAT(none.error().message, Contains("would save nothing"));

  const ChatModelFile file;
  for (const float until : {0.0F, 0.3F, 0.5F}) {
    PrepareOptions options;
    options.progress = [&](float fraction) { return fraction < until; };
    CHECK(prepare(file.path(), options).error().code == ErrorCode::kCancelled);
  }
  CHECK_FALSE(fs::exists(screen_of(file)));
  PrepareOptions nowhere;
  nowhere.path = "/nonexistent/x.screen";
  CHECK(prepare(file.path(), nowhere).error().code == ErrorCode::kIo);
}

}  // namespace
}  // namespace partita::internal::testing
