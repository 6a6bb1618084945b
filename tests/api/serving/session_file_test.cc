// Sessions on disk: what is loaded is what was saved, to the bit, and nothing else is loaded.
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/fuzz/session_cases.h"
#include "tests/sanitized.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;

struct TemporaryFile {
  explicit TemporaryFile(const std::string& name)
      : path((fs::temp_directory_path() / (name + std::to_string(std::random_device()()))).string()) {}
  ~TemporaryFile() { fs::remove(path); }
  const std::string path;
};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

Request request_of(std::vector<TokenId> ids, int tokens) {
  Request request;
  request.ids = std::move(ids);
  request.max_tokens = tokens;
  request.sampling.seed = 4;
  return request;
}

std::vector<TokenId> long_ids(std::size_t n) {
  std::vector<TokenId> ids;
  for (const char c : long_text(n)) ids.push_back(c);
  return ids;
}

/// The conversation so far, and how it goes on.
std::vector<TokenId> conversation(const std::vector<TokenId>& prompt, const Whole& answer) {
  std::vector<TokenId> ids = prompt;
  ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
  for (const char c : std::string(" and then")) ids.push_back(c);
  return ids;
}

TEST_CASE("A loaded session goes on like the one that was saved, and reads only what is new") {
  for (const bool gemma : {false, true}) {
    for (const CacheType type : {CacheType::kF16, CacheType::kI8}) {
      for (const std::uint32_t window : {0U, 128U}) {
        ChatFile what;
        if (gemma) what.spec = tiny_gemma3(Dtype::kQ8_0);
        const ChatModelFile file(what);
        OpenOptions options;
        options.cache = type;
        options.attention_window = window;
        const Model model = must(Model::open(file.path(), options));
        const TemporaryFile saved("session");
        Session first = must(model.session());
        const auto prompt = long_ids(300);
        const Whole answer = pull_all(must(first.generate(request_of(prompt, 30))));
        REQUIRE(first.save(saved.path, "a note"));
        const Request next = request_of(conversation(prompt, answer), 30);

        Session second = must(must(Model::open(file.path(), options)).session());
        CHECK(must(second.load(saved.path)) == "a note");
        CHECK(second.length() == first.length());
        Session forked = must(second.fork());
        for (Session* session : {&first, &second, &forked}) {
          Stream stream = must(session->generate(next));
          Whole whole;
          while (const auto token = must(stream.next())) whole.ids.push_back(token->id);
          CHECK(whole.ids == generate_alone(model, next).ids);
          // Where prompts and answers have different arithmetic, the answer is read again as a part of a
          // prompt.
          const std::size_t answer_again = model.info().isa.starts_with("amx") ? answer.ids.size() : 0;
          CHECK(stream.timing().prefill_tokens <= 12 + answer_again);
        }
      }
    }
  }
}

TEST_CASE("The same session gives the same file, and one that was loaded gives it again") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  const TemporaryFile a("session"), b("session");
  Session session = must(model.session()), other = must(model.session());
  pull_all(must(other.generate(request_of(long_ids(500), 40))));  // its pages held something else before
  for (Session* s : {&session, &other}) pull_all(must(s->generate(request_of(long_ids(100), 20))));
  REQUIRE(session.save(a.path));
  REQUIRE(other.save(b.path));
  CHECK(contents(a.path) == contents(b.path));
  Session loaded = must(model.session());
  must(loaded.load(a.path));
  REQUIRE(loaded.save(b.path));
  CHECK(contents(a.path) == contents(b.path));
  REQUIRE(must(session.fork()).save(b.path));
  CHECK(contents(a.path) == contents(b.path));
}

TEST_CASE("A saved file keeps its mode, and a link its target") {
  const ChatModelFile file;
  const Session session = must(must(Model::open(file.path())).session());
  const TemporaryFile saved("session"), link("link");
  REQUIRE(session.save(saved.path));
  fs::permissions(saved.path, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink(saved.path, link.path);
  REQUIRE(session.save(link.path, "another"));
  CHECK(fs::is_symlink(link.path));
  CHECK(fs::status(saved.path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(contents(saved.path).find("another") != std::string::npos);
  for (const auto& entry : fs::directory_iterator(fs::path(saved.path).parent_path())) {
    CHECK(entry.path().string().find(saved.path + ".part") == std::string::npos);
  }
}

TEST_CASE("Only the owner can read a new session file, under any umask") {
  const ChatModelFile file;
  const Session session = must(must(Model::open(file.path())).session());
  const TemporaryFile saved("session");
  const mode_t before = ::umask(0);
  const auto done = session.save(saved.path);
  ::umask(before);
  REQUIRE(done);
  CHECK(fs::status(saved.path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("The note of a session is read without its model") {
  const ChatModelFile file;
  const TemporaryFile saved("session"), bad("session");
  Session session = must(must(Model::open(file.path())).session());
  pull_all(must(session.generate(request_of(long_ids(20), 3))));
  REQUIRE(session.save(saved.path, "a note"));
  CHECK(must(session_note(saved.path)) == "a note");
  const std::string good = contents(saved.path);
  std::mt19937 random(5);
  for (std::size_t i = 0; i < 500; ++i) {
    const std::size_t at = i < 250 ? i : random() % good.size();
    put(bad.path, good.substr(0, at));
    CHECK_FALSE(session_note(bad.path).ok());
    std::string turned = good;
    turned[at] = static_cast<char>(turned[at] ^ (1 << random() % 8));
    put(bad.path, turned);
    CHECK_FALSE(session_note(bad.path).ok());
  }
}

TEST_CASE("Errors about the path of a session file speak of sessions") {
  const ChatModelFile file;
  Session session = must(must(Model::open(file.path())).session());
  const TemporaryFile empty("session");
  put(empty.path, "");
  const std::string directory = fs::temp_directory_path().string();
  for (const std::string& path : {empty.path + "missing", empty.path, directory}) {
    for (const std::string& said : {session.load(path).error().message, session_note(path).error().message}) {
      CHECK_THAT(said, Catch::Matchers::Contains("session file"));
      CHECK_THAT(said, !Catch::Matchers::Contains("download") && !Catch::Matchers::Contains("gguf"));
    }
  }
}

TEST_CASE("A changed model is told from one of another path") {
  const ChatModelFile file;
  ChatFile other;
  other.spec.seed += 1;
  const ChatModelFile changed(other);
  const TemporaryFile path("model"), saved("session");
  fs::copy_file(file.path(), path.path);
  const Model before = must(Model::open(path.path));
  REQUIRE(must(before.session()).save(saved.path));
  fs::remove(path.path);
  fs::copy_file(changed.path(), path.path);
  const Model after = must(Model::open(path.path));
  CHECK(must(before.fingerprint()) != must(after.fingerprint()));
  CHECK(must(before.fingerprint()) == must(must(Model::open(file.path())).fingerprint()));
  CHECK_THAT(must(after.session()).load(saved.path).error().message,
             Catch::Matchers::Contains("before it was changed"));
}

TEST_CASE("Forks are independent") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  const auto prompt = long_ids(130);
  pull_all(must(session.generate(request_of(prompt, 5))));
  Session fork = must(session.fork());
  auto left = prompt, right = prompt;
  left.push_back('x');
  right.push_back('y');
  CHECK(pull_all(must(session.generate(request_of(left, 20)))).ids ==
        generate_alone(model, request_of(left, 20)).ids);
  CHECK(pull_all(must(fork.generate(request_of(right, 20)))).ids ==
        generate_alone(model, request_of(right, 20)).ids);
}

TEST_CASE("An empty session can be saved and loaded") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  const TemporaryFile saved("session");
  Session session = must(model.session());
  REQUIRE(session.save(saved.path));
  CHECK(must(session.load(saved.path)).empty());
  CHECK(session.length() == 0);
}

TEST_CASE("A session that was loaded and reset is empty, and is saved as that") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  const TemporaryFile saved("session"), again("session");
  Session session = must(model.session());
  pull_all(must(session.generate(request_of(long_ids(20), 3))));
  REQUIRE(session.save(saved.path));
  Session other = must(model.session());
  must(other.load(saved.path));
  REQUIRE(other.length() > 0);
  other.reset();
  REQUIRE(other.save(again.path));
  must(session.load(again.path));
  CHECK(session.length() == 0);
}

TEST_CASE(
    "A file that is not this model's session is refused with the reason, and the session stays as it was") {
  const ChatModelFile file;
  ChatFile other;
  other.spec.seed += 1;
  const ChatModelFile other_file(other);
  const TemporaryFile saved("session"), bad("session");
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  const Request request = request_of(long_ids(100), 10);
  pull_all(must(session.generate(request)));
  REQUIRE(session.save(saved.path));
  const std::string good = contents(saved.path);
  const auto refusal = [&](const std::string& path, const OpenOptions& options, ErrorCode code) {
    Session fresh = must(must(Model::open(path, options)).session());
    auto loaded = fresh.load(saved.path);
    REQUIRE_FALSE(loaded.ok());
    CHECK(loaded.error().code == code);
    CHECK(fresh.length() == 0);
    return loaded.error().message;
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(refusal(other_file.path(), {}, ErrorCode::kInvalidArgument),
             Contains(file.path()) && Contains(other_file.path()));
  OpenOptions options;
  options.cache = CacheType::kI8;
  CHECK_THAT(refusal(file.path(), options, ErrorCode::kInvalidArgument), Contains("--cache"));
  options = {};
  options.exact = true;
  CHECK_THAT(refusal(file.path(), options, ErrorCode::kInvalidArgument), Contains("exact arithmetic"));
  options = {};
  options.cache_bytes = 64 * 256;
  CHECK_THAT(refusal(file.path(), options, ErrorCode::kOutOfMemory), Contains("0 of its 16384 are in use"));

  const std::size_t length = session.length();
  std::string newer = good;
  newer[8] = 3;
  put(bad.path, newer);
  CHECK(session.load(bad.path).error().message ==
        "\"" + bad.path + "\" is a session file of version 3; this program reads versions 1 and 2");
  put(bad.path, "GGUF and so on, which is no session");
  CHECK(session.load(bad.path).error().message == "\"" + bad.path + "\" is not a session file");
  CHECK(session.load(bad.path + "missing").error().code == ErrorCode::kNotFound);
  CHECK(session.length() == length);
  CHECK(session.save("/nowhere/at/all").error().code == ErrorCode::kIo);
}

TEST_CASE("A file cut anywhere is refused, and so is one with a bit turned anywhere") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  const TemporaryFile saved("session"), bad("session");
  Session session = must(model.session());
  pull_all(must(session.generate(request_of(long_ids(20), 3))));
  REQUIRE(session.save(saved.path, "note"));
  const std::string good = contents(saved.path);
  const std::size_t length = session.length();
  std::mt19937 random(3);
  // All of the header, and samples of the pages.
  for (std::size_t i = 0; i < test::all_or<std::size_t>(2000, 700); ++i) {
    const std::size_t at = i < 500 ? i : random() % good.size();
    put(bad.path, good.substr(0, at));
    CHECK_FALSE(session.load(bad.path).ok());
    std::string turned = good;
    turned[at] = static_cast<char>(turned[at] ^ (1 << random() % 8));
    put(bad.path, turned);
    CHECK_FALSE(session.load(bad.path).ok());
    CHECK(session.length() == length);
  }
  put(bad.path, good + "x");
  CHECK_FALSE(session.load(bad.path).ok());
}

TEST_CASE("A header with any numbers and a right checksum is refused or loads what it says") {
  std::mt19937 random(8);
  const std::string good = fuzz::session_case();
  for (int i = 0; i < test::all_or(1000, 200); ++i) {
    std::string bytes = good;
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      const std::size_t word = random() % std::min<std::size_t>(bytes.size() / 8, 80);
      const std::uint64_t values[] = {0, 1, random() % 100, ~std::uint64_t{0},
                                      std::uint64_t{1} << (random() % 64)};
      std::memcpy(bytes.data() + 8 * word, &values[random() % 5], 8);
    }
    fuzz::run_session_case(bytes);
  }
}

}  // namespace
}  // namespace partita::internal::testing
