// Helpers of the tokenizer tests: vocabularies built in memory, records of reference tokenizers, random text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"

namespace partita::internal::test {

using Ids = std::vector<TokenId>;

// Numbers of tokenizer.ggml.token_type.
inline constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5,
                              kByte = 6;

/// A tokenizer from metadata alone. The file is destroyed afterwards, which the tokenizer must survive.
Result<std::unique_ptr<Tokenizer>> open(const GgufWriter& file);

/// open() for files that must open.
std::unique_ptr<Tokenizer> must_open(const GgufWriter& file);

/// Builds a vocabulary. Token ids follow the order of addition.
struct TestVocabulary {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  std::vector<float> scores;

  TestVocabulary& add(std::string token, std::int32_t type = kNormal, float score = 0);
  TokenId id(std::string_view token) const;  // of the first such token; -1 for none
};

/// The 256 bytes in the byte alphabet, in order: the id of a byte is its value.
TestVocabulary byte_vocabulary();
inline constexpr std::uint32_t kBos = 256, kEos = 257, kTurn = 258;  // what most tests add

/// "<0x00>" to "<0xFF>" as byte tokens.
void add_byte_pieces(TestVocabulary& vocab);

/// tokenizer.ggml.model, tokens, types and, if `merges` is given, merges (else scores).
GgufWriter file_of(const TestVocabulary& vocab, const std::string& model,
                   const std::optional<std::vector<std::string>>& merges = std::nullopt);

/// tests/data/tokenizer/`name`, parsed. Fails the test if it is not there.
nlohmann::json record(const std::string& name);

/// The recorded strings.
const std::vector<std::string>& strings();

/// The recorded strings that contain U+2581.
std::vector<std::string> marked_strings();

/// Fails with the string for which `tokenizer` and the record differ.
void check_ids(const Tokenizer& tokenizer, const nlohmann::json& recorded, Specials specials);
void check_ids(const Tokenizer& tokenizer, const nlohmann::json& recorded, Specials specials,
               const std::vector<std::string>& texts);

Ids encode(const Tokenizer& tokenizer, std::string_view text, Specials specials = Specials::kAsText);
Ids prompt(const Tokenizer& tokenizer, std::string_view text, Specials specials = Specials::kParse);

/// Valid UTF-8 of up to `characters` characters, of all planes and many scripts.
std::string random_text(std::mt19937_64& random, std::size_t characters);
std::string random_bytes(std::mt19937_64& random, std::size_t bytes);

/// The path of a real model: in $PARTITA_TEST_MODELS, else in models/ of the source tree.
std::string model_path(const std::string& name);

}  // namespace partita::internal::test
