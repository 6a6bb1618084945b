#include "tokenizer/models/gguf_wordpiece.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/json/characters.h"
#include "tokenizer/models/wordpiece.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/vocabulary_tokenizer.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::string_view kMark = "\u2581";

struct WordRules {
  bool lowercase = true;
  bool strips_accents = true;
};

class GgufWordPiece final : public VocabularyTokenizer {
 public:
  GgufWordPiece(TokenizerVocabulary words, const WordRules& rules)
      : VocabularyTokenizer(std::move(words)), rules_(rules), model_(make_model()) {}

 private:
  Result<void> encode_text(std::string_view text, bool, std::vector<TokenId>& out) const override {
    std::string words;  // each between the mark and a line feed
    while (!text.empty()) {
      const std::size_t valid = valid_prefix(text);
      TRY(add_words(text.substr(0, valid), words));
      text.remove_prefix(valid);
      text.remove_prefix(invalid_prefix(text));  // the reference drops U+FFFD
    }
    ModelScratch scratch;
    for (std::string_view rest = words; !rest.empty();) {
      const std::string_view word = rest.substr(0, rest.find('\n'));
      if (word.size() > kMark.size()) TRY(model_.encode(word, scratch, out));
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    return {};
  }

  Result<void> add_words(std::string_view text, std::string& words) const {
    std::string changed(text);
    if (rules_.strips_accents) TRY(to_normal_form(NormalForm::kNfd, changed));
    const auto end_word = [&words] { words.append("\n").append(kMark); };
    end_word();
    for_each_character(changed, [&](std::int32_t code, std::string_view) {
      constexpr std::int32_t kReplacement = 0xFFFD;
      if (is_white_space(code)) return end_word();
      if (code == 0 || code == kReplacement || is_control(code)) return;
      if (rules_.strips_accents && is_nonspacing_mark(code)) return;
      const bool is_alone = is_punctuation(code) || is_cjk_ideograph(code);
      if (is_alone) end_word();
      rules_.lowercase ? append_lowercase(code, words) : append_character(code, words);
      if (is_alone) end_word();
    });
    return {};
  }

  WordPiece make_model() const {
    std::vector<PrefixMatcher::Spelling> spellings;
    for (std::size_t i = 0; i < size(); ++i)
      spellings.push_back({vocabulary().spellings[i], static_cast<TokenId>(i)});
    WordPiece::Settings settings;
    settings.unknown = specials().unknown;
    settings.max_characters = kMaxText;
    PrefixMatcher matcher(std::move(spellings));
    return WordPiece(matcher, matcher, settings);
  }

  WordRules rules_;
  WordPiece model_;
};

/// Spaces for marks.
std::string surface_of(std::string_view spelling) {
  return spelling.starts_with(kMark) ? " " + std::string(spelling.substr(kMark.size()))
                                     : std::string(spelling);
}

TokenizerVocabulary build_vocabulary(GgufTokens tokens, SpecialIds specials) {
  StringTable spellings(0, tokens.bytes), surfaces(0, tokens.bytes);
  for (const std::string_view spelling : tokens.spellings) {
    spellings.add(spelling, false);
    surfaces.add(surface_of(spelling), false);
  }
  return {std::move(spellings), std::move(surfaces), std::move(tokens.kinds), std::move(specials), true};
}

/// Files name BOS as the token of the class, and EOS as the separator, and put both around every text.
Result<void> read_ends(const Gguf& file, const GgufTokens& tokens, SpecialIds& ids) {
  const auto read = [&](const char* key, TokenId missing, std::optional<TokenId>& id) -> Result<void> {
    if (id) return {};
    const auto number = file.get_uint(key, static_cast<std::uint64_t>(missing));
    if (!number) return number.error();
    if (*number < tokens.kinds.size()) id = static_cast<TokenId>(*number);
    return {};
  };
  constexpr TokenId kUnknown = 100, kClass = 101, kSeparator = 102;  // of BERT's vocabulary
  TRY(read("tokenizer.ggml.unknown_token_id", kUnknown, ids.unknown));
  TRY(read("tokenizer.ggml.cls_token_id", kClass, ids.bos));
  TRY(read("tokenizer.ggml.seperator_token_id", kSeparator, ids.eos));
  const auto add_bos = file.get_bool("tokenizer.ggml.add_bos_token", true);
  if (!add_bos) return add_bos.error();
  const auto add_eos = file.get_bool("tokenizer.ggml.add_eos_token", true);
  if (!add_eos) return add_eos.error();
  ids.add_bos = *add_bos && ids.bos;
  ids.add_eos = *add_eos && ids.eos;
  return {};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> read_gguf_wordpiece(const Gguf& file) {
  auto tokens = read_tokens(file);
  if (!tokens) return tokens.error();
  auto specials = read_specials(file, *tokens, {});
  if (!specials) return specials.error();
  TRY(read_ends(file, *tokens, *specials));
  const auto lowercase = file.get_bool("tokenizer.ggml.normalizer.lowercase", true);
  if (!lowercase) return lowercase.error();
  const auto strips_accents = file.get_bool("tokenizer.ggml.normalizer.strip_accents", *lowercase);
  if (!strips_accents) return strips_accents.error();
  return std::unique_ptr<Tokenizer>(std::make_unique<GgufWordPiece>(
      build_vocabulary(*std::move(tokens), *std::move(specials)), WordRules{*lowercase, *strips_accents}));
}

}  // namespace partita::internal
