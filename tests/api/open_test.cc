// Files that this version cannot use: all that is wrong in one message; and files that are cut while they are
// read.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "weights/gguf/writer.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

/// A directory that is deleted with its owner.
class TempDirectory {
 public:
  TempDirectory() : path_(fs::temp_directory_path() / ("partita-open-" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ~TempDirectory() { fs::remove_all(path_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }
  std::string write(const std::string& name, const GgufWriter& file) const {
    const std::string path = (path_ / name).string();
    if (auto written = file.write(path); !written) throw std::runtime_error(written.error().message);
    return path;
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

std::string error_of(const std::string& path, const OpenOptions& options = {}) {
  const auto model = Model::open(path, options);
  REQUIRE_FALSE(model);
  CHECK(model.error().code == ErrorCode::kUnsupported);
  return model.error().message;
}

/// Bytes of the chat model's file with one string replaced by another of the same length.
std::string changed(std::string bytes, const std::string& from, const std::string& to) {
  const std::size_t at = bytes.find(from);
  if (at == bytes.npos || from.size() != to.size()) throw std::runtime_error("no '" + from + "'");
  return bytes.replace(at, from.size(), to);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Another element type for a tensor: the number behind its name, rank and dimensions.
std::string with_type(std::string bytes, const std::string& tensor, std::size_t rank, char type) {
  const std::size_t at = bytes.find(tensor);
  if (at == bytes.npos) throw std::runtime_error("no '" + tensor + "'");
  bytes[at + tensor.size() + 4 + 8 * rank] = type;
  return bytes;
}

TEST_CASE("Everything in a file that is not supported is listed in one message; text_only works") {
  const TempDirectory directory;
  const ChatModelFile file;
  std::string bytes = with_type(bytes_of(file.path()), "output_norm.weight", 1, 15);
  const std::string types = directory.write("types.gguf", bytes);
  CHECK_THAT(error_of(types), Contains("tensor 'output_norm.weight' has the element type Q8_K"));
  // general.architecture is the first string of the value "llama".
  bytes = changed(std::move(bytes), std::string("\x05\0\0\0\0\0\0\0llama", 13),
                  std::string("\x05\0\0\0\0\0\0\0l\x1b[2J", 13));
  const std::string both = directory.write("both.gguf", bytes);
  CHECK_THAT(error_of(both), Contains("the family 'l\\x1b[2J'") && Contains("families known here") &&
                                 Contains("; ") && Contains("Q8_K"));
  OpenOptions text_only;
  text_only.text_only = true;
  const Model model = must(Model::open(both, text_only));
  CHECK(must(model.tokenize("hello")) == must(must(Model::open(file.path())).tokenize("hello")));
  CHECK(model.session().error().code == ErrorCode::kInvalidArgument);
  CHECK_THAT(must(inspect_json(both)), Contains("\"type\": \"Q8_K\"") && Contains("\"bytes\": null"));
}

TEST_CASE("A template needs neither a family nor a tokenizer that is supported") {
  const TempDirectory directory;
  GgufWriter writer;
  const std::vector<std::string> tokens = {"<s>", "</s>"};
  writer.add("general.architecture", "nothing")
      .add("tokenizer.ggml.model", "plamo2")
      .add("tokenizer.ggml.tokens", tokens)
      .add("tokenizer.ggml.bos_token_id", std::uint64_t{0})
      .add("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}{{ eos_token is defined }}");
  const std::string path = directory.write("m.gguf", writer);
  OpenOptions text_only;
  text_only.text_only = true;
  const Model model = must(Model::open(path, text_only));
  CHECK(must(model.render(R"({"messages":[{"role":"user","content":"Hi"}]})")) == "<s>HiFalse");
  for (const auto& code : {model.tokenize("x").error().code, model.detokenize({}).error().code,
                           model.tokenize_chat({}, true).error().code}) {
    CHECK(code == ErrorCode::kUnsupported);
  }
  CHECK(model.end_ids().empty());
  CHECK(model.piece(0).empty());
  CHECK(model.text(0).value().empty());
  CHECK(model.left_out("x") == 0);
}

TEST_CASE("A pre-tokenizer that the file does not name is told once") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  const bool named = must(inspect_json(file.path())).find("tokenizer.ggml.pre") != std::string::npos;
  REQUIRE(named);
  CHECK(model.info().warnings.empty());
  const TempDirectory directory;
  const std::string path =
      directory.write("m.gguf", changed(bytes_of(file.path()), "tokenizer.ggml.pre", "tokenizer.ggml.pra"));
  const Model nameless = must(Model::open(path));
  REQUIRE(nameless.info().warnings.size() == 1);
  CHECK_THAT(nameless.info().warnings[0], Contains(path) && Contains("tokenizer.ggml.pre is missing"));
}

TEST_CASE("A model file that is cut while it is loaded is an error, whenever that is") {
  const ChatModelFile file;
  const TempDirectory directory;
  const std::string bytes = bytes_of(file.path());
  int cut = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string path = directory.write("m.gguf", bytes);
    int calls = 0;
    OpenOptions options;
    options.progress = [&](float) {
      if (calls++ == i) {
        REQUIRE(::truncate(path.c_str(), static_cast<off_t>(i % 2 == 0 ? 0 : bytes.size() / 8)) == 0);
      }
      return true;
    };
    const auto model = Model::open(path, options);
    if (calls <= i + 1 && model) continue;  // after the last tensor
    ++cut;
    REQUIRE_FALSE(model);
    CHECK(model.error().code == ErrorCode::kIo);
    CHECK_THAT(model.error().message, Contains("'" + path + "' was shortened while it was read"));
  }
  CHECK(cut >= 14);
}

TEST_CASE("A model file that is cut after it was loaded answers; what reads it again says so") {
  const ChatModelFile file;
  const TempDirectory directory;
  const std::string path = directory.write("m.gguf", bytes_of(file.path()));
  const Model model = must(Model::open(path));
  Session session = must(model.session());
  REQUIRE(::truncate(path.c_str(), 0) == 0);
  Request request;
  request.prompt = "hello";
  request.max_tokens = 3;
  CHECK(pull_all(must(session.generate(request))).ids.size() == 3);
  CHECK_THAT(session.save(directory.path() + "/s").error().message,
             Contains("was shortened while it was read"));
}

}  // namespace
}  // namespace partita::internal::testing
