// A NaN in any weight is an error of the next token, for prompts of any length; it never becomes an answer.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "weights/gguf/gguf.h"

namespace partita::internal::testing {
namespace {

/// The file with one weight that is no number.
class SpoiledFile {
 public:
  SpoiledFile(const std::string& tensor, std::size_t element) {
    std::ifstream in(file_.path(), std::ios::binary);
    std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    {
      const auto parsed = must(Gguf::parse(std::as_bytes(std::span(bytes)), "in memory"));
      const auto& all = parsed.tensors();
      const auto found =
          std::find_if(all.begin(), all.end(), [&](const auto& t) { return t.name == tensor; });
      REQUIRE(found != all.end());
      const float nan = std::numeric_limits<float>::quiet_NaN();
      char* const at = bytes.data() + (reinterpret_cast<const char*>(found->bytes.data()) - bytes.data());
      std::memcpy(at + element * sizeof nan, &nan, sizeof nan);
    }
    std::ofstream(file_.path(), std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  const std::string& path() const { return file_.path(); }

 private:
  ChatModelFile file_;
};

TEST_CASE("A NaN in any weight is an error, not an answer") {
  const char* const tensors[] = {
      "blk.0.attn_norm.weight",   "blk.0.attn_q.weight",   "blk.0.attn_k.weight",   "blk.0.attn_v.weight",
      "blk.0.attn_output.weight", "blk.0.ffn_norm.weight", "blk.0.ffn_gate.weight", "blk.0.ffn_up.weight",
      "blk.0.ffn_down.weight",    "blk.1.attn_k.weight",   "blk.1.attn_v.weight",   "blk.1.ffn_down.weight",
      "output_norm.weight"};
  for (const char* tensor : tensors) {
    const SpoiledFile file(tensor, 5);
    for (const CacheType cache : {CacheType::kF16, CacheType::kI8}) {
      OpenOptions options;
      options.cache = cache;
      const Model model = must(Model::open(file.path(), options));
      const bool is_key = std::string_view(tensor).find("attn_k") != std::string_view::npos;
      for (const std::size_t length : {1, 70, 600}) {  // one page, pages, spans
        if (length > 70 && !is_key) continue;          // whose NaN goes through the merging of spans
        CAPTURE(tensor, static_cast<int>(cache), length);
        Request request;
        request.ids = random_tokens(length, 256, 3);
        request.max_tokens = 3;
        Session session = must(model.session());
        Stream stream = must(session.generate(request));
        const auto token = stream.next();
        REQUIRE_FALSE(token.ok());
        CHECK(token.error().code == ErrorCode::kBadNumbers);
      }
    }
  }
}

/// The error of the first token.
Error first_error(const Model& model, float guidance = 1) {
  Request request;
  request.ids = random_tokens(20, 256, 3);
  request.guidance_scale = guidance;
  Session session = must(model.session());
  Stream stream = must(session.generate(request));
  const auto token = stream.next();
  REQUIRE_FALSE(token.ok());
  return token.error();
}

TEST_CASE("The error says where NaN began, or how to learn it") {
  const SpoiledFile file("blk.1.ffn_gate.weight", 5);
  const std::string hint = "; OpenOptions::trace_nan (--trace-nan) finds where that began";
  const std::string place = "; it began in layer 1, the product with blk.1.ffn_gate: nan (token 0)";
  for (const bool trace : {false, true}) {
    CAPTURE(trace);
    OpenOptions options;
    options.trace_nan = trace;
    const Model model = must(Model::open(file.path(), options));
    const std::string ending = trace ? place : hint;
    CHECK(first_error(model).message.starts_with("token 20 of the sequence: the logit of id 0 is nan"));
    CHECK(first_error(model).message.ends_with(ending));
    CHECK(first_error(model, 2).message.ends_with(ending));

    Session session = must(model.session());
    const auto ids = random_tokens(20, 256, 3);
    CHECK(session.score(ids).error().message.ends_with(ending));
    Session other = must(model.session());
    CHECK(session.score_against(ids, other).error().message.ends_with(ending));

    Request request;
    request.ids = ids;
    Search beams;
    beams.beams = 2;
    CHECK(session.search(request, beams).error().message.ends_with(ending));
  }
}

TEST_CASE("NaN of the LM head is told from NaN of the layers") {
  // The embedding is the head too; this row is of an id that is not read.
  const auto ids = random_tokens(20, 256, 3);
  std::size_t unread = 0;
  while (std::find(ids.begin(), ids.end(), static_cast<TokenId>(unread)) != ids.end()) ++unread;
  const SpoiledFile file("token_embd.weight", unread * testing::ChatFile().spec.hidden);
  OpenOptions options;
  options.trace_nan = true;
  CHECK(first_error(must(Model::open(file.path(), options))).message.ends_with("; it began in the LM head"));
  options.trace_nan = false;
  CHECK(first_error(must(Model::open(file.path(), options))).message.ends_with("-inf where masked"));
}

}  // namespace
}  // namespace partita::internal::testing
