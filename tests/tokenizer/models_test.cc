// Real vocabularies against recorded ids.
#include <algorithm>
#include <filesystem>

#include "support.h"
#include "tests/catch.h"
#include "tokenizer/open.h"

namespace partita::internal::test {
namespace {

std::unique_ptr<Tokenizer> open_model(const std::string& path) {
  const auto file = Gguf::open(path);
  if (!file) FAIL(file.error().message);
  auto tokenizer = open_tokenizer(*file);
  if (!tokenizer) FAIL(tokenizer.error().message);
  return std::move(*tokenizer);
}

std::unique_ptr<Tokenizer> smollm2() {
  const std::string path = model_path("SmolLM2-135M-Instruct.Q4_1.gguf");
  if (!std::filesystem::exists(path)) {
    FAIL(path << " is missing: scripts/fetch-model fetches it, PARTITA_TEST_MODELS names another directory");
  }
  return open_model(path);
}

/// Null, with a warning, if the model is missing: its license forbids redistributing it with the tests.
std::unique_ptr<Tokenizer> gemma3() {
  const std::string path = model_path("gemma-3-270m-q4_k_m.gguf");
  if (std::filesystem::exists(path)) return open_model(path);
  WARN("skipped: gemma-3-270m-q4_k_m.gguf is not in models/");  // tests/CMakeLists.txt looks for this
  return nullptr;
}

/// The part of a text that SmolLM2 can encode: its vocabulary lacks some bytes.
std::string writable(const Tokenizer& tokenizer, const std::string& text) {
  std::string kept;
  std::copy_if(text.begin(), text.end(), std::back_inserter(kept),
               [&](char byte) { return tokenizer.dropped_bytes(std::string_view(&byte, 1)) == 0; });
  return kept;
}

TEST_CASE("SmolLM2: ids equal the record") {
  const auto tokenizer = smollm2();
  const auto recorded = record("smollm2.json");
  check_ids(*tokenizer, recorded.at("as_text"), Specials::kAsText);
  check_ids(*tokenizer, recorded.at("parsed"), Specials::kParse);
}

TEST_CASE("SmolLM2: decoding restores 100,000 random texts", "[long]") {
  const auto tokenizer = smollm2();
  std::mt19937_64 random(2026);
  std::size_t whole = 0;
  for (int i = 0; i < 100000; ++i) {
    const std::string text = random_text(random, 24);
    const Ids ids = encode(*tokenizer, text, i % 2 == 0 ? Specials::kParse : Specials::kAsText);
    whole += tokenizer->dropped_bytes(text) == 0;
    REQUIRE(tokenizer->decode(ids, true) == writable(*tokenizer, text));
  }
  CHECK(whole > 50000);
  for (int i = 0; i < 20000; ++i) {
    const std::string bytes = random_bytes(random, 40);
    REQUIRE(tokenizer->decode(encode(*tokenizer, bytes)) == writable(*tokenizer, bytes));
  }
}

TEST_CASE("SmolLM2: special tokens from the metadata") {
  const auto tokenizer = smollm2();
  CHECK(tokenizer->size() == 49152);
  const SpecialIds& ids = tokenizer->specials();
  CHECK(ids.bos == 1);
  CHECK(ids.eos == 2);
  CHECK(ids.unknown == 0);
  CHECK(ids.pad == 2);
  CHECK_FALSE(ids.add_bos);
  CHECK_FALSE(ids.add_eos);
  CHECK(ids.end_of_generation == Ids{0, 2, 4});  // <|endoftext|>, <|im_end|>, <reponame>
  CHECK(prompt(*tokenizer, "<|im_start|>") == Ids{1});
  CHECK(tokenizer->spelling(2) == "<|im_end|>");
  CHECK(tokenizer->piece(2).empty());
  CHECK(tokenizer->piece(2, true) == "<|im_end|>");
  CHECK(tokenizer->kind(2) == TokenKind::kControl);
  CHECK(tokenizer->dropped_bytes("plain text") == 0);
  CHECK(tokenizer->dropped_bytes("\x04") == 1);
}

TEST_CASE("Gemma 3: ids equal the record", "[gemma]") {
  const auto tokenizer = gemma3();
  if (tokenizer == nullptr) return;
  const auto recorded = record("gemma3.json");
  check_ids(*tokenizer, recorded.at("as_text"), Specials::kAsText);
  check_ids(*tokenizer, recorded.at("parsed"), Specials::kParse);
}

TEST_CASE("Gemma 3: decoding restores 100,000 random texts", "[long][gemma]") {
  const auto tokenizer = gemma3();
  if (tokenizer == nullptr) return;
  std::mt19937_64 random(2027);
  for (int i = 0; i < 100000; ++i) {
    const std::string text = random_text(random, 24);
    REQUIRE(tokenizer->decode(encode(*tokenizer, text)) == text);
  }
}

TEST_CASE("Gemma 3: special tokens from the metadata", "[gemma]") {
  const auto tokenizer = gemma3();
  if (tokenizer == nullptr) return;
  CHECK(tokenizer->size() == 262144);
  const SpecialIds& ids = tokenizer->specials();
  CHECK(ids.bos == 2);
  CHECK(ids.eos == 1);
  CHECK(ids.add_bos);
  CHECK_FALSE(ids.add_eos);
  CHECK(ids.end_of_generation == Ids{1, 106});  // <eos>, <end_of_turn>
  CHECK(prompt(*tokenizer, "<bos>") == Ids{2});
  CHECK(prompt(*tokenizer, "").size() == 1);
}

}  // namespace
}  // namespace partita::internal::test
