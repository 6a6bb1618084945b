// Tiny random models of every architecture, as llama.cpp's converter writes them (tests/oracles/README.md,
// record_families.py): each has the log-probabilities of transformers, to the same bits in whatever way its
// tokens are read, or is refused with the reason.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/cache/kv_file.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/families.h"
#include "tests/catch.h"
#include "tests/engine/records.h"
#include "tests/engine/runs.h"
#include "tests/engine/tiny_models.h"

#include "tests/must.h"
#include "tests/sanitized.h"

using namespace partita;

using namespace partita::internal;
using namespace partita::internal::testing;

namespace {

namespace fs = std::filesystem;
using Tokens = std::vector<std::int32_t>;
using Hidden = std::vector<float>;

const fs::path kFamilies = fs::path(PARTITA_TEST_DATA) / "families";

/// The names of all files, sorted.
std::vector<std::string> models() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFamilies)) {
    if (entry.path().extension() == ".gguf") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Gguf file_of(const std::string& name) { return must(Gguf::open(kFamilies / (name + ".gguf"))); }

nlohmann::json record_of(const std::string& name) { return read_record("../families/" + name + ".json"); }

/// The longest sequence of a record, 300 tokens, or its beginning.
Tokens ids_of(const nlohmann::json& record, const Transformer& model, std::size_t most) {
  auto ids = record["sequences"].back()["ids"].get<Tokens>();
  ids.resize(std::min({ids.size(), most, std::size_t{model.config().context_length}}));
  return ids;
}

// --- the numbers ---

/// How far the model may be from a recorded sequence of `tokens`. With tiles: three times as far as bf16
/// moves transformers' own numbers (record_bf16.py), beyond what holds without; two positions more may have
/// another most probable token.
Bounds bounds_for(const Transformer& model, const nlohmann::json& in_bf16, std::size_t tokens) {
  Bounds bounds = bounds_of(model);
  if (!uses_tiles(model.isa())) return bounds;
  const double other_top = 1 - in_bf16["same_top"].get<double>();
  bounds.mean += 3 * in_bf16["mean"].get<double>();
  bounds.logits += 3 * in_bf16["logits"].get<double>();
  bounds.same_top = 1 - 3 * other_top - 2 / static_cast<double>(tokens);
  return bounds;
}

/// Every recorded sequence, whole. in_bf16: the records of record_bf16.py for them.
void check_record(const std::shared_ptr<const Transformer>& model, const nlohmann::json& record,
                  const nlohmann::json& in_bf16) {
  for (std::size_t i = 0; i < record["sequences"].size(); ++i) {
    const nlohmann::json& sequence = record["sequences"][i];
    const auto ids = sequence["ids"].get<Tokens>();
    INFO(ids.size() << " tokens" << (model->exact() ? ", exact" : ""));
    Runner runner(model, 1);
    KvSequence kv = runner.sequence();
    kv.set_rope_limit(model->config().rope_limit(ids.size()));  // transformers chooses by the length, too
    check_sequence(*model, runner.run(kv, ids, ids.size()), sequence,
                   bounds_for(*model, in_bf16[i], ids.size()));
  }
}

// --- the bits ---

/// What reading a text gives: its last tokens as a part of the prompt, and as an answer that is generated.
struct Expected {
  Expected(const std::shared_ptr<const Transformer>& of, Tokens text);

  /// Whether hidden states [first, first + rows) of the prompt, or of prompt and answer, are these.
  bool is_prompt(const Hidden& rows, std::size_t first = 0) const { return same(rows, whole, first); }
  bool is_answer(const Hidden& rows, std::size_t first) const { return same(rows, answered, first); }
  bool same(const Hidden& rows, const Hidden& all, std::size_t first) const {
    const std::size_t width = model->config().hidden_size;
    return !rows.empty() && first * width + rows.size() <= all.size() &&
           std::memcmp(rows.data(), all.data() + first * width, rows.size() * sizeof(float)) == 0;
  }
  /// Tokens [first, last).
  std::span<const std::int32_t> part(std::size_t first, std::size_t last = SIZE_MAX) const {
    return std::span(ids).subspan(first, std::min(last, ids.size()) - first);
  }

  std::shared_ptr<const Transformer> model;
  Tokens ids;
  std::size_t prompt;      // where the answer begins
  Hidden whole, answered;  // [tokens][hidden]
};

Expected::Expected(const std::shared_ptr<const Transformer>& of, Tokens text)
    : model(of), ids(std::move(text)), prompt(ids.size() * 2 / 3) {
  Runner runner(model, 1);
  KvSequence at_once = runner.sequence(), kv = runner.sequence();
  whole = runner.run(at_once, ids, ids.size());
  answered = runner.run(kv, part(0, prompt), prompt);
  const Hidden rest = runner.run(kv, part(prompt), 1, Role::kGenerated);
  answered.insert(answered.end(), rest.begin(), rest.end());
  if (!uses_tiles(model->isa())) CHECK(whole == answered);
}

struct Way {
  int threads;
  std::size_t chunk;
  std::size_t background;  // other sequences in every step
};

void check_way(const Expected& expected, const Way& way) {
  INFO(way.threads << " threads, chunks of " << way.chunk << ", " << way.background << " other sequences");
  Runner runner(expected.model, way.threads, way.background);
  KvSequence prompt = runner.sequence();
  CHECK(expected.is_prompt(runner.run(prompt, expected.ids, way.chunk)));
}

/// The answer in chunks of `chunk` tokens, as speculative decoding verifies draft tokens.
void check_answer(const Expected& expected, const Way& way) {
  INFO("an answer on " << way.threads << " threads, " << way.chunk << " tokens at once, " << way.background
                       << " other sequences");
  Runner runner(expected.model, way.threads, way.background);
  KvSequence kv = runner.sequence();
  runner.run(kv, expected.part(0, expected.prompt), 64);
  const Hidden rows = runner.run(kv, expected.part(expected.prompt), way.chunk, Role::kGenerated);
  CHECK(expected.is_answer(rows, expected.prompt));
}

/// Two forks read other tokens in the same steps; then each goes back and reads what the other read.
void check_fork(const Expected& expected) {
  // Of 300 tokens, 200 and 195: between them and the end no more than two page borders, as many as have
  // snapshots.
  const std::size_t n = expected.ids.size(), half = n * 2 / 3, back = n * 13 / 20;
  Runner runner(expected.model, 2);
  KvSequence kv = runner.sequence();
  runner.run(kv, expected.part(0, half), 33);
  KvSequence fork = kv.fork();
  const Tokens other = random_tokens(n - half, expected.model->config().vocab_size, 5);
  Hidden rows;
  for (std::size_t at = half; at < n; at += 9) {
    const auto mine = expected.part(at, at + 9);
    const auto its = std::span(other).subspan(at - half, mine.size());
    const Hidden out = runner.step({{&fork, its, Role::kPrompt, 1}, {&kv, mine, Role::kPrompt, mine.size()}});
    const auto width = static_cast<std::ptrdiff_t>(expected.model->config().hidden_size);
    rows.insert(rows.end(), out.begin() + width, out.end());
  }
  CHECK(expected.is_prompt(rows, half));
  for (KvSequence* sequence : {&fork, &kv}) {
    sequence->truncate(back);
    REQUIRE(sequence->length() <= back);  // states of layers go back to a page border
    CHECK(sequence->length() >= back / 64 * 64);
    const std::size_t from = sequence->length();
    INFO((sequence == &fork ? "the fork, from token " : "the first, from token ") << from);
    CHECK(expected.is_prompt(runner.run(*sequence, expected.part(from), 40), from));
  }
}

/// Every step loses one of its threads, each at a later barrier, until every barrier was the one: what a
/// worker takes for its share must not outlive a barrier.
void check_dropped(const Expected& expected, std::size_t chunk) {
  constexpr int kTries = 200;  // of a step that finds no thread awake
  const std::shared_ptr<ThreadPool> pool = ThreadPool::shared();
  Runner runner(expected.model, 3);
  KvSequence kv = runner.sequence();
  int barrier = 1;
  for (int tries = 0; tries < kTries;) {
    const std::size_t from = kv.length() + chunk <= expected.ids.size() ? kv.length() : 0;
    kv.truncate(from);
    INFO("a thread is dropped at barrier " << barrier << " after " << from << " tokens");
    pool->contention().drop_after(barrier);
    CHECK(expected.is_prompt(runner.run(kv, expected.part(from, from + chunk), chunk), from));
    const int left = pool->contention().drop_after(0);
    if (left == 0) {
      ++barrier;
      tries = 0;
    } else if (left < barrier) {
      break;  // the step has no such barrier
    } else {
      ++tries;
    }
  }
}

std::vector<std::byte> written(const KvSequence& sequence) {
  std::vector<std::byte> bytes;
  CHECK(write_pages(sequence, [&](std::span<const std::byte> page) {
    bytes.insert(bytes.end(), page.begin(), page.end());
    return true;
  }));
  return bytes;
}

/// A sequence from the bytes of a session file.
KvSequence loaded(Runner& runner, std::span<const std::byte> bytes, std::size_t length,
                  std::span<const std::uint64_t> first) {
  KvSequence sequence = runner.sequence();
  REQUIRE(are_valid_first_pages(sequence.pool(), length, first));
  REQUIRE(kv_bytes(sequence.pool(), length, first) == bytes.size());
  const auto read = [&](std::span<std::byte> page) {
    std::copy_n(bytes.begin(), page.size(), page.begin());
    bytes = bytes.subspan(page.size());
    return true;
  };
  REQUIRE(read_pages(read, length, first, sequence).ok());
  return sequence;
}

/// Releases what no later token attends to, saves the sequence at two thirds, and goes on in another engine.
void check_file(const Expected& expected) {
  Runner runner(expected.model, 1), later(expected.model, 2);
  KvSequence kv = runner.sequence();
  for (std::size_t at = 0; at < expected.prompt; at += 13) {
    const auto part = expected.part(at, std::min(at + 13, expected.prompt));
    const std::size_t outputs = at % 2 == 0 ? std::min<std::size_t>(2, part.size()) : 0;
    const Hidden rows = runner.step({{&kv, part, Role::kPrompt, outputs}});
    if (outputs > 0) CHECK(expected.is_prompt(rows, at + part.size() - outputs));
    kv.release_unseen();
  }
  const std::vector<std::byte> bytes = written(kv);
  KvSequence same = loaded(later, bytes, kv.length(), first_pages(kv));
  CHECK(written(same) == bytes);
  CHECK(expected.is_prompt(later.run(same, expected.part(expected.prompt), 30), expected.prompt));
  const Hidden rows = runner.run(kv, expected.part(expected.prompt), 1, Role::kGenerated);
  CHECK(expected.is_answer(rows, expected.prompt));
}

// Sanitizers check accesses and not numbers; with --exact, kernels are slow and all else is the same.
constexpr std::size_t kTokens = test::all_or(300, 75), kExactTokens = 100;

}  // namespace

TEST_CASE("Every family has the log-probabilities of transformers, or is refused with the reason") {
  const nlohmann::json in_bf16 = read_record("../families/bf16.json");
  std::set<std::string> agree, proven;
  for (const std::string& model_name : models()) {
    INFO(model_name);
    const Gguf file = file_of(model_name);
    const auto exact = Transformer::load(file, {.exact = true});
    if (!exact) {
      INFO(exact.error().message);
      CHECK(exact.error().code == ErrorCode::kUnsupported);
      continue;
    }
    const nlohmann::json record = record_of(model_name);
    if (!record["gguf_lacks"].is_null()) continue;  // the file is another model than the record's
    const nlohmann::json& of_model = in_bf16["models"][model_name];
    check_record(*exact, record, of_model);
    check_record(load(file, {}), record, of_model);
    agree.insert(model_name);
    proven.insert((*exact)->config().family);
  }
  // What is supported is written down, so that none is lost unseen.
  std::ifstream list(kFamilies / "agree.txt");
  CHECK(agree == std::set<std::string>(std::istream_iterator<std::string>(list), {}));
  for (const Family* family : families()) {
    INFO(family->name);
    CHECK(proven.count(std::string(family->name)) == 1);  // no family is supported without a record
  }
}

TEST_CASE("Every family gives the same bits whole, in chunks, in batches, forked and from a file") {
  for (const std::string& model_name : models()) {
    const Gguf file = file_of(model_name);
    const auto model = Transformer::load(file, {});
    if (!model) continue;  // refused
    INFO(model_name << " with " << name((*model)->isa()));
    const Expected expected(*model, ids_of(record_of(model_name), **model, kTokens));
    check_fork(expected);
    check_file(expected);
    check_answer(expected, {2, 2, 8});
    check_dropped(expected, 3);
    for (const Way& way : {Way{2, 512, 0}, Way{2, 64, 0}, Way{2, 7, 8}, Way{1, 1, 0}})
      check_way(expected, way);
  }
}

TEST_CASE("Every family gives the same bits with exact arithmetic") {
  if (test::kSanitized) return;
  for (const std::string& model_name : models()) {
    INFO(model_name);
    const Gguf file = file_of(model_name);
    const auto model = Transformer::load(file, {.exact = true});
    if (!model) continue;  // refused
    const Expected expected(*model, ids_of(record_of(model_name), **model, kExactTokens));
    check_fork(expected);
    check_way(expected, {2, 7, 3});
  }
}

TEST_CASE("Every family gives the same bits with an attention window and sinks") {
  for (const std::string& model_name : models()) {
    INFO(model_name);
    const Gguf file = file_of(model_name);
    const auto model = Transformer::load(file, {.attention_window = 40, .attention_sinks = 64});
    if (!model) continue;  // refused
    const Expected expected(*model, ids_of(record_of(model_name), **model, kTokens));
    check_way(expected, {2, 7, 8});
    check_file(expected);
  }
}
