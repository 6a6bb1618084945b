#include "tokenizer/models/rwkv.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/prefix_matcher.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/vocabulary_tokenizer.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// Whether text can be encoded with the token. The rest is padding, or special.
bool is_word(TokenKind kind) { return kind == TokenKind::kNormal || kind == TokenKind::kByte; }

class RwkvTokenizer final : public VocabularyTokenizer {
 public:
  explicit RwkvTokenizer(TokenizerVocabulary of) : VocabularyTokenizer(std::move(of)) {
    std::vector<PrefixMatcher::Spelling> words;
    for (std::size_t i = 0; i < vocabulary().kinds.size(); ++i) {
      if (is_word(vocabulary().kinds[i]))
        words.push_back({vocabulary().surfaces[i], static_cast<TokenId>(i)});
    }
    words_ = PrefixMatcher(std::move(words));
  }

  std::size_t dropped_bytes(std::string_view text) const override {
    std::size_t dropped = 0;
    if (specials().unknown) return dropped;
    (void)split_at_matches(
        user_defined(), text,
        [&](std::string_view stretch) {
          each_word(stretch, [&](const PrefixMatcher::Match& word) { dropped += word.length == 0; });
          return Result<void>();
        },
        [](TokenId) {});
    return dropped;
  }

 private:
  Result<void> encode_text(std::string_view text, bool, std::vector<TokenId>& out) const override {
    const auto write = [&](const PrefixMatcher::Match& word) {
      if (word.length > 0) {
        out.push_back(word.id);
      } else if (specials().unknown) {
        out.push_back(*specials().unknown);
      }
    };
    return split_at_matches(
        user_defined(), text,
        [&](std::string_view stretch) {
          each_word(stretch, write);
          return Result<void>();
        },
        [&out](TokenId id) { out.push_back(id); });
  }

  /// Calls f for the words of a text in order; one of length 0 stands for a byte without a token.
  template <class F>
  void each_word(std::string_view text, F&& f) const {
    while (!text.empty()) {
      const PrefixMatcher::Match word = words_.longest_prefix(text);
      f(word);
      text.remove_prefix(word.length > 0 ? word.length : 1);
    }
  }

  PrefixMatcher words_;
};

/// The bytes that a spelling stands for.
Result<void> unescape(std::size_t id, std::string_view spelling, std::string& bytes) {
  bytes.clear();
  const auto bad = [&] {
    return Error{ErrorCode::kBadFile, "token " + std::to_string(id) + " is spelled " + quoted(spelling) +
                                          ", whose escape is incomplete"};
  };
  for (std::size_t i = 0; i < spelling.size(); ++i) {
    if (spelling[i] != '\\') {
      bytes.push_back(spelling[i]);
      continue;
    }
    if (++i == spelling.size()) return bad();
    if (spelling[i] != 'x') {
      constexpr std::string_view kLetters = "tnr", kBytes = "\t\n\r";
      const std::size_t letter = kLetters.find(spelling[i]);
      bytes.push_back(letter == std::string_view::npos ? spelling[i] : kBytes[letter]);
      continue;
    }
    const std::string_view digits = spelling.substr(i + 1, 2);
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (error != std::errc() || digits.size() != 2 || end != digits.data() + 2) return bad();
    bytes.push_back(static_cast<char>(byte));
    i += 2;
  }
  return {};
}

Result<TokenizerVocabulary> build_vocabulary(GgufTokens tokens, SpecialIds specials) {
  StringTable spellings(0, tokens.bytes);
  StringTable surfaces(0, tokens.bytes);
  std::string bytes;
  for (std::size_t i = 0; i < tokens.kinds.size(); ++i) {
    const std::string_view spelling = tokens.spellings[i];
    if (is_word(tokens.kinds[i]) || tokens.kinds[i] == TokenKind::kUserDefined) {
      TRY(unescape(i, spelling, bytes));
    } else {
      bytes = spelling;
    }
    spellings.add(spelling, false);
    surfaces.add(bytes, false);
  }
  return TokenizerVocabulary{std::move(spellings), std::move(surfaces), std::move(tokens.kinds),
                             std::move(specials)};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> read_rwkv(const Gguf& file) {
  auto tokens = read_tokens(file);
  if (!tokens) return tokens.error();
  auto specials = read_specials(file, *tokens, {});
  if (!specials) return specials.error();
  auto vocabulary = build_vocabulary(std::move(*tokens), std::move(*specials));
  if (!vocabulary) return vocabulary.error();
  return std::unique_ptr<Tokenizer>(std::make_unique<RwkvTokenizer>(std::move(*vocabulary)));
}

}  // namespace partita::internal
