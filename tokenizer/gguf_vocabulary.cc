#include "tokenizer/gguf_vocabulary.h"

#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kScores = "tokenizer.ggml.scores";

Error bad_file(std::string message) { return {ErrorCode::kBadFile, std::move(message)}; }

/// The numbers are those of llama_token_type; 0 is "undefined", which files use for normal tokens.
std::optional<TokenKind> kind_from_gguf(std::optional<std::int64_t> number) {
  constexpr std::array kKinds = {TokenKind::kNormal,  TokenKind::kNormal,      TokenKind::kUnknown,
                                 TokenKind::kControl, TokenKind::kUserDefined, TokenKind::kUnused,
                                 TokenKind::kByte};
  if (!number || *number < 0 || *number >= static_cast<std::int64_t>(kKinds.size())) return std::nullopt;
  return kKinds[static_cast<std::size_t>(*number)];
}

Result<void> check_same_size(std::string_view key, std::size_t found, std::size_t tokens) {
  if (found == tokens) return {};
  return bad_file(std::string(key) + " has " + std::to_string(found) + " entries for " +
                  std::to_string(tokens) + " tokens");
}

Result<void> read_kinds(const Gguf& file, GgufTokens& tokens) {
  tokens.kinds.assign(tokens.spellings.size(), TokenKind::kNormal);
  tokens.has_kinds = file.find(kTypes) != nullptr;
  if (!tokens.has_kinds) return {};
  const auto types = file.get_array(kTypes);
  if (!types) return types.error();
  TRY(check_same_size(kTypes, (*types)->size(), tokens.kinds.size()));
  for (std::size_t i = 0; i < tokens.kinds.size(); ++i) {
    const auto kind = kind_from_gguf((*types)->int_at(i));
    if (!kind) {
      return bad_file(std::string(kTypes) + " of token " + std::to_string(i) +
                      " is not one of the integers 0 to 6");
    }
    tokens.kinds[i] = *kind;
  }
  return {};
}

Result<std::optional<TokenId>> read_id(const Gguf& file, std::string_view key, std::size_t count) {
  if (file.find(key) == nullptr) return std::optional<TokenId>();
  const auto id = file.get_uint(key);
  if (!id) return id.error();
  if (*id >= count) {
    return bad_file(std::string(key) + " is " + std::to_string(*id) + "; the vocabulary has " +
                    std::to_string(count) + " tokens");
  }
  return std::optional<TokenId>(static_cast<TokenId>(*id));
}

Result<void> read_special_id(const Gguf& file, std::string_view key, const GgufTokens& tokens,
                             std::optional<TokenId> fallback, std::optional<TokenId>& id) {
  auto found = read_id(file, key, tokens.kinds.size());
  if (!found) return found.error();
  id = *found;
  if (id || !fallback || static_cast<std::size_t>(*fallback) >= tokens.kinds.size()) return {};
  const TokenKind kind = tokens.kinds[static_cast<std::size_t>(*fallback)];
  if (kind == TokenKind::kControl || kind == TokenKind::kUnknown) id = fallback;
  return {};
}

/// Reads add_bos_token or add_eos_token. If the token has no id, a default of true becomes false, and an
/// explicit true is an error.
Result<bool> read_add_flag(const Gguf& file, std::string_view key, bool missing, bool has_id) {
  const auto adds = file.get_bool(key, missing);
  if (!adds || !*adds || has_id) return adds;
  if (file.find(key) == nullptr) return false;
  return bad_file(std::string(key) + " is true, but the file names no such token");
}

Result<std::vector<TokenId>> read_end_ids(const Gguf& file, const GgufTokens& tokens,
                                          std::optional<TokenId> eos) {
  std::vector<TokenId> ends;
  if (eos) ends.push_back(*eos);
  for (const std::string_view key :
       {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id", "tokenizer.ggml.fim_pad_token_id",
        "tokenizer.ggml.fim_rep_token_id", "tokenizer.ggml.fim_sep_token_id"}) {
    const auto id = read_id(file, key, tokens.kinds.size());
    if (!id) return id.error();
    if (*id) ends.push_back(**id);
  }
  return with_ends_by_spelling(std::move(ends), tokens.spellings, tokens.kinds);
}

}  // namespace

Result<GgufTokens> read_tokens(const Gguf& file) {
  const auto array = file.get_array(kTokens);
  if (!array) return array.error();
  const std::size_t count = (*array)->size();
  if (count == 0 || count > kMaxVocabulary) {
    return bad_file(std::string(kTokens) + " has " + std::to_string(count) + " entries, not 1 to " +
                    std::to_string(kMaxVocabulary));
  }
  GgufTokens tokens;
  tokens.spellings.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto spelling = (*array)->string_at(i);
    if (!spelling) return bad_file(std::string(kTokens) + " is an array of numbers, not of strings");
    if (spelling->size() > kMaxSpelling) {
      return bad_file("token " + std::to_string(i) + " has " + std::to_string(spelling->size()) +
                      " bytes, more than " + std::to_string(kMaxSpelling));
    }
    tokens.spellings.push_back(*spelling);
    tokens.bytes += spelling->size();
  }
  if (tokens.bytes > kMaxText) {
    return bad_file(std::string(kTokens) + " takes " + std::to_string(tokens.bytes) + " bytes, more than " +
                    std::to_string(kMaxText));
  }
  TRY(read_kinds(file, tokens));
  return tokens;
}

Result<std::vector<float>> read_scores(const Gguf& file, std::size_t count) {
  const auto array = file.get_array(kScores);
  if (!array) return array.error();
  TRY(check_same_size(kScores, (*array)->size(), count));
  std::vector<float> scores(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<double> score = (*array)->float_at(i);
    if (!score) {
      if (const auto whole = (*array)->int_at(i)) score = static_cast<double>(*whole);
    }
    if (!score || !std::isfinite(*score)) {
      return bad_file(std::string(kScores) + " of token " + std::to_string(i) + " is not a finite number");
    }
    scores[i] = static_cast<float>(*score);
  }
  return scores;
}

Result<SpecialIds> read_specials(const Gguf& file, const GgufTokens& tokens,
                                 const SpecialDefaults& defaults) {
  SpecialIds ids;
  struct Row {
    std::string_view key;
    std::optional<TokenId> fallback;
    std::optional<TokenId>* id;
  };
  for (const Row& row : {Row{"tokenizer.ggml.bos_token_id", defaults.bos, &ids.bos},
                         Row{"tokenizer.ggml.eos_token_id", defaults.eos, &ids.eos},
                         Row{"tokenizer.ggml.unknown_token_id", defaults.unknown, &ids.unknown},
                         Row{"tokenizer.ggml.padding_token_id", std::nullopt, &ids.pad}}) {
    TRY(read_special_id(file, row.key, tokens, row.fallback, *row.id));
  }
  const auto add_bos =
      read_add_flag(file, "tokenizer.ggml.add_bos_token", defaults.add_bos, ids.bos.has_value());
  if (!add_bos) return add_bos.error();
  const auto add_eos = read_add_flag(file, "tokenizer.ggml.add_eos_token", false, ids.eos.has_value());
  if (!add_eos) return add_eos.error();
  auto ends = read_end_ids(file, tokens, ids.eos);
  if (!ends) return ends.error();
  ids.add_bos = *add_bos;
  ids.add_eos = *add_eos;
  ids.end_of_generation = std::move(*ends);
  return ids;
}

}  // namespace partita::internal
