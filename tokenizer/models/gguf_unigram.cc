#include "tokenizer/models/gguf_unigram.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/json/character_map.h"
#include "tokenizer/models/piece_surface.h"
#include "tokenizer/models/unigram.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/vocabulary_tokenizer.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::string_view kMark = "\u2581";

struct SpaceRules {
  bool adds_prefix = true;    // a space before a text
  bool removes_extra = true;  // one space between words, none at the ends
};

class GgufUnigram final : public VocabularyTokenizer {
 public:
  GgufUnigram(TokenizerVocabulary words, const std::vector<float>& scores, CharacterMap map,
              const SpaceRules& rules)
      : VocabularyTokenizer(std::move(words)),
        map_(std::move(map)),
        rules_(rules),
        model_(make_model(scores)) {}

 private:
  Result<void> encode_text(std::string_view text, bool, std::vector<TokenId>& out) const override {
    ModelScratch scratch;
    const std::string normalized = normalize(text);
    return normalized.empty() ? Result<void>() : model_.encode(normalized, scratch, out);
  }

  /// The text with the mark U+2581 for spaces. User-defined pieces stay as they are.
  std::string normalize(std::string_view text) const {
    std::string out;
    const bool keeps_spaces = !rules_.removes_extra;
    if (rules_.adds_prefix && keeps_spaces && !text.empty()) out += kMark;
    bool in_word = false;
    while (!text.empty()) {
      const Part part = first_part(text);
      text.remove_prefix(part.length);
      for (const char byte : part.text) {
        const bool is_space = byte == ' ';
        const bool begins_word = !is_space && !in_word;
        if (keeps_spaces ? is_space : begins_word && (rules_.adds_prefix || !out.empty())) out += kMark;
        if (!is_space) out += byte;
        in_word = !is_space;
      }
    }
    return out;
  }

  struct Part {
    std::string_view text;   // what it becomes
    std::size_t length = 0;  // of the original
  };

  Part first_part(std::string_view text) const {
    if (const auto match = user_defined().longest_prefix(text); match.length > 0)
      return {text.substr(0, match.length), match.length};
    if (const auto found = map_.longest(text); found.length > 0) return {found.replacement, found.length};
    const Utf8Unit unit = first_unit(text);
    if (unit.kind == Utf8Unit::Kind::kCharacter) return {text.substr(0, unit.length), unit.length};
    return {"\uFFFD", 1};
  }

  Unigram make_model(const std::vector<float>& scores) const {
    std::array<std::optional<TokenId>, 256> byte_tokens;
    std::vector<PrefixMatcher::Spelling> pieces;
    std::vector<double> values(scores.begin(), scores.end());
    for (std::size_t i = 0; i < size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      const TokenKind what = kind(id);
      if (what == TokenKind::kByte) byte_tokens[static_cast<std::uint8_t>(vocabulary().surfaces[i][0])] = id;
      if (what == TokenKind::kUserDefined) values[i] = 0;
      if (what == TokenKind::kNormal || what == TokenKind::kUserDefined || what == TokenKind::kUnused)
        pieces.push_back({vocabulary().spellings[i], id});
    }
    return Unigram(std::move(pieces), std::move(values), specials().unknown, byte_tokens);
  }

  CharacterMap map_;
  SpaceRules rules_;
  Unigram model_;
};

Result<CharacterMap> read_map(const Gguf& file) {
  constexpr const char* kKey = "tokenizer.ggml.precompiled_charsmap";
  std::string table;
  if (file.find(kKey) != nullptr) {
    const auto array = file.get_array(kKey);
    if (!array) return array.error();
    table.reserve((*array)->size());
    for (std::size_t i = 0; i < (*array)->size(); ++i)
      table += static_cast<char>((*array)->int_at(i).value_or(0));
  }
  auto map = CharacterMap::create(std::move(table));
  if (map) return *std::move(map);
  return Error{ErrorCode::kBadFile, std::string(kKey) + " is not a table of SentencePiece"};
}

Result<TokenizerVocabulary> build_vocabulary(GgufTokens tokens, SpecialIds specials, bool adds_prefix) {
  StringTable spellings(0, tokens.bytes), surfaces(0, tokens.bytes);
  std::string surface;
  for (std::size_t i = 0; i < tokens.kinds.size(); ++i) {
    TRY(piece_surface(i, tokens.spellings[i], tokens.kinds[i], surface));
    spellings.add(tokens.spellings[i], false);
    surfaces.add(surface, false);
  }
  return TokenizerVocabulary{std::move(spellings), std::move(surfaces), std::move(tokens.kinds),
                             std::move(specials), adds_prefix};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> read_gguf_unigram(const Gguf& file) {
  auto tokens = read_tokens(file);
  if (!tokens) return tokens.error();
  const auto scores = read_scores(file, tokens->kinds.size());
  if (!scores) return scores.error();
  SpecialDefaults defaults;  // those of T5
  defaults.eos = 1;
  defaults.unknown = 2;
  auto specials = read_specials(file, *tokens, defaults);
  if (!specials) return specials.error();
  const auto adds_prefix = file.get_bool("tokenizer.ggml.add_space_prefix", false);
  if (!adds_prefix) return adds_prefix.error();
  const auto removes_extra = file.get_bool("tokenizer.ggml.remove_extra_whitespaces", false);
  if (!removes_extra) return removes_extra.error();
  auto map = read_map(file);
  if (!map) return map.error();
  auto vocabulary = build_vocabulary(*std::move(tokens), *std::move(specials), *adds_prefix);
  if (!vocabulary) return vocabulary.error();
  return std::unique_ptr<Tokenizer>(std::make_unique<GgufUnigram>(
      *std::move(vocabulary), *scores, *std::move(map), SpaceRules{*adds_prefix, *removes_extra}));
}

}  // namespace partita::internal
