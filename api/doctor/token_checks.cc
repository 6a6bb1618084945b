// Checks of the tokenizer and its vocabulary.
#include <algorithm>
#include <unordered_set>

#include "api/doctor/check.h"
#include "engine/models/config_reader.h"
#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/json/tokenizer_json.h"
#include "tokenizer/models/byte_alphabet.h"
#include "tokenizer/models/text_bpe.h"
#include "tokenizer/pre_tokenizer.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::string_view kPre = "tokenizer.ggml.pre", kTokens = "tokenizer.ggml.tokens";

bool has_tokenizer(const Subject& subject) {
  return subject.file.find("tokenizer.ggml.model") != nullptr ||
         subject.file.find(kTokenizerJsonKey) != nullptr;
}

bool is_byte_bpe(const Subject& subject) {
  const auto model = subject.file.get_string("tokenizer.ggml.model");
  return model && *model == "gpt2" && !is_text_bpe(subject.file);
}

/// The error of a pre-tokenizer that is named and not known.
std::optional<Error> unknown_pre_tokenizer(const Subject& subject) {
  const auto name = subject.file.get_string(kPre);
  if (!is_byte_bpe(subject) || !name) return std::nullopt;
  auto made = PreTokenizer::create(*name);
  return made ? std::nullopt : std::optional(made.error());
}

/// Rows of a matrix, if the file has it.
std::optional<std::uint64_t> rows_of(const Subject& subject, std::string_view name) {
  const TensorView* tensor = subject.file.find_tensor(name);
  if (tensor == nullptr || tensor->shape.size() != 2) return std::nullopt;
  return tensor->shape[0];
}

std::optional<std::uint64_t> count_tokens(const Subject& subject) {
  const auto tokens = subject.file.get_array(kTokens);
  return tokens ? std::optional<std::uint64_t>((*tokens)->size()) : std::nullopt;
}

/// Spellings that merges make: "left right" makes "leftright".
std::unordered_set<std::string> merged_spellings(const Gguf& file) {
  std::unordered_set<std::string> made;
  const auto merges = file.get_array("tokenizer.ggml.merges");
  for (std::size_t i = 0; merges && i < (*merges)->size(); ++i) {
    const auto merge = (*merges)->string_at(i);
    const std::size_t space = merge ? merge->find(' ', 1) : std::string_view::npos;
    if (space == std::string_view::npos) continue;
    made.emplace(std::string(merge->substr(0, space)) + std::string(merge->substr(space + 1)));
  }
  return made;
}

}  // namespace

bool vocabulary_differs(const Subject& subject) {
  const auto rows = rows_of(subject, "token_embd.weight"), tokens = count_tokens(subject);
  return rows && tokens && *rows != *tokens;
}

void check_pre_tokenizer(const Subject& subject, Report& report) {
  if (const auto unknown = unknown_pre_tokenizer(subject)) {
    report.error(*unknown,
                 "text cannot be split as the model's authors meant: use a newer Partita, if it knows "
                 "this one");
  } else if (is_byte_bpe(subject) && subject.file.find(kPre) == nullptr) {
    report.warning(sentence("the file does not say how its tokenizer splits words (", kPre,
                            " is missing), and a default is taken that many models do not use"),
                   "where it is wrong, answers are worse: convert the model again with a current converter");
  }
}

void check_tokenizer(const Subject& subject, Report& report) {
  if (subject.tokenizer != nullptr || unknown_pre_tokenizer(subject)) return;
  if (!has_tokenizer(subject) && !is_whole_model(subject.file)) return;  // adapters and projectors have none
  report.error(subject.tokenizer_error,
               "convert the model again with its tokenizer, or use a newer Partita if the kind is new");
}

void check_vocabulary(const Subject& subject, Report& report) {
  constexpr std::string_view kRemedy = "the file is put together wrongly: convert the model again";
  const auto tokens = count_tokens(subject);
  if (!tokens) return;
  for (const std::string_view matrix : {"token_embd.weight", "output.weight"}) {
    const auto rows = rows_of(subject, matrix);
    const bool whole = matrix != "output.weight" || subject.file.find("partita.head.kind") == nullptr;
    if (!rows || !whole || *rows == *tokens) continue;
    report.error(sentence("the vocabulary has ", *tokens, " tokens, and ", matrix, " has ", *rows, " rows"),
                 std::string(kRemedy));
  }
  const auto stated = subject.file.get_uint(subject.key("vocab_size"));
  if (stated && *stated != *tokens) {
    report.warning(
        sentence("the vocabulary has ", *tokens, " tokens, and ", subject.key("vocab_size"), " is ", *stated),
        "other programs may believe the key: set it to the number of tokens");
  }
}

void check_duplicates(const Subject& subject, Report& report) {
  auto tokens = read_tokens(subject.file);
  if (!tokens) return;  // the tokenizer's error says so
  std::vector<std::string_view>& spellings = tokens->spellings;
  std::sort(spellings.begin(), spellings.end());
  std::size_t copies = 0;
  std::string_view example;
  for (std::size_t i = 1; i < spellings.size(); ++i) {
    if (spellings[i] != spellings[i - 1]) continue;
    if (copies++ == 0) example = spellings[i];
  }
  if (copies == 0) return;
  report.warning(
      sentence(copies, copies == 1 ? " token is" : " tokens are", " spelled like another, such as ",
               quoted(example), ", and no text has ", copies == 1 ? "it" : "them"),
      "answers can still contain them; download a newer file of the model if there is one");
}

void check_unreachable(const Subject& subject, Report& report) {
  if (!is_byte_bpe(subject) || subject.tokenizer == nullptr) return;
  const auto name = subject.file.get_string(kPre);
  const auto split = PreTokenizer::create(name ? *name : "default");
  if (!split || split->ignore_merges()) return;
  auto reachable = merged_spellings(subject.file);
  for (unsigned byte = 0; byte < 256; ++byte)
    reachable.insert(byte_spelling(static_cast<std::uint8_t>(byte)));
  std::size_t count = 0;
  std::string_view example;
  for (std::size_t i = 0; i < subject.tokenizer->size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string_view spelling = subject.tokenizer->spelling(id);
    const bool is_text = subject.tokenizer->kind(id) == TokenKind::kNormal;
    if (!is_text || reachable.contains(std::string(spelling))) continue;
    if (count++ == 0) example = spelling;
  }
  if (count == 0) return;
  report.note(
      sentence(count, count == 1 ? " token is" : " tokens are", " made by no merge, such as ",
               quoted(example), ", so that no text becomes ", count == 1 ? "it" : "them"),
      "nothing, if the model's authors left them so; if there are thousands, the merges are incomplete: "
      "convert the model again");
}

void check_end_tokens(const Subject& subject, Report& report) {
  if (subject.tokenizer == nullptr) return;
  const SpecialIds& specials = subject.tokenizer->specials();
  if (specials.end_of_generation.empty()) {
    report.warning(
        "the file names no token that ends an answer",
        "answers end at --max-tokens alone: set tokenizer.ggml.eos_token_id, or stop them with --stop");
    return;
  }
  // A text ends RWKV's answers; files without token types do not say what is a control token.
  const auto model = subject.file.get_string("tokenizer.ggml.model");
  if (subject.file.find("tokenizer.ggml.token_type") == nullptr || (model && *model == "rwkv")) return;
  for (const std::string_view key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const auto id = subject.file.get_uint(key);
    if (!id || *id >= subject.tokenizer->size()) continue;
    const auto token = static_cast<TokenId>(*id);
    if (subject.tokenizer->kind(token) != TokenKind::kNormal) continue;
    report.warning(sentence(key, " is ", *id, ", ", quoted(subject.tokenizer->spelling(token)),
                            ", which is text and no control token"),
                   "answers may end in the middle of a sentence: correct the key");
  }
}

}  // namespace partita::internal
