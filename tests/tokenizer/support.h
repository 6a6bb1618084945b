// What the tokenizer's tests share: vocabularies made in memory, records of reference tokenizers, random
// text.
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

namespace partita::test {

using Ids = std::vector<TokenId>;

// Numbers of tokenizer.ggml.token_type.
inline constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5,
                              kByte = 6;

/// A tokenizer from metadata alone; the file is gone afterwards, as it may be in use.
Result<std::unique_ptr<Tokenizer>> open(const GgufWriter& file);

/// The same for files that must open.
std::unique_ptr<Tokenizer> must_open(const GgufWriter& file);

/// A vocabulary in the making. Tokens get their ids in the order they are added.
struct Words {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  std::vector<float> scores;

  Words& add(std::string token, std::int32_t type = kNormal, float score = 0);
  TokenId id(std::string_view token) const;  // of the first such token; -1 for none
};

/// The 256 bytes in the byte alphabet, in order, so that a byte's id is its value.
Words byte_words();
inline constexpr std::uint32_t kBos = 256, kEos = 257, kTurn = 258;  // what most tests add to them

/// "<0x00>" to "<0xFF>" as byte tokens.
void add_byte_pieces(Words& words);

/// tokenizer.ggml.model, tokens, types and, if `merges` is given, merges (else scores).
GgufWriter file_of(const Words& words, const std::string& model,
                   const std::optional<std::vector<std::string>>& merges = std::nullopt);

/// tests/data/tokenizer/`name`, parsed. Fails the test if it is not there.
nlohmann::json record(const std::string& name);

/// The strings that the records are about.
const std::vector<std::string>& strings();

/// The strings with U+2581 in them.
std::vector<std::string> marked_strings();

/// Fails naming the string where `tokenizer` and the record differ.
void check_ids(const Tokenizer& tokenizer, const nlohmann::json& recorded, Specials specials);
void check_ids(const Tokenizer& tokenizer, const nlohmann::json& recorded, Specials specials,
               const std::vector<std::string>& texts);

Ids encode(const Tokenizer& tokenizer, std::string_view text, Specials specials = Specials::kAsText);
Ids prompt(const Tokenizer& tokenizer, std::string_view text, Specials specials = Specials::kParse);

/// Valid UTF-8 of up to `characters` characters, of all planes and many scripts.
std::string random_text(std::mt19937_64& random, std::size_t characters);
std::string random_bytes(std::mt19937_64& random, std::size_t bytes);

/// Where the real models are: PARTITA_TEST_MODELS, else models/ in the source tree.
std::string model_path(const std::string& name);

}  // namespace partita::test
