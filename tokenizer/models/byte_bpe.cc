#include "tokenizer/models/byte_bpe.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/models/byte_alphabet.h"
#include "tokenizer/models/merges.h"
#include "tokenizer/models/word_encoder.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/prefix_matcher.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/vocabulary_tokenizer.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

class ByteBpe final : public VocabularyTokenizer {
 public:
  ByteBpe(TokenizerVocabulary words, PreTokenizer pre_tokenizer, MergeTable merges)
      : VocabularyTokenizer(std::move(words)),
        pre_tokenizer_(std::move(pre_tokenizer)),
        merges_(std::move(merges), byte_ids()) {}

  std::size_t dropped_bytes(std::string_view text) const override {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [this](char byte) { return merges_.token_of(byte) < 0; }));
  }

 private:
  Result<void> encode_text(std::string_view text, bool, std::vector<TokenId>& out) const override {
    WordEncoder encoder(merges_, pre_tokenizer_.ignore_merges() ? &vocabulary().surfaces : nullptr,
                        text.size());
    return split_at_matches(
        user_defined(), text, [&](std::string_view stretch) { return encode_bytes(stretch, encoder, out); },
        [&out](TokenId id) { out.push_back(id); });
  }

  /// Encodes any bytes: the pre-tokenizer splits valid UTF-8; each run of invalid bytes is one word.
  Result<void> encode_bytes(std::string_view text, WordEncoder& encoder, std::vector<TokenId>& out) const {
    while (!text.empty()) {
      const std::size_t valid = valid_prefix(text);
      TRY(pre_tokenizer_.for_each_word(text.substr(0, valid),
                                       [&](std::string_view word) { encoder.encode(word, out); }));
      text.remove_prefix(valid);
      const std::size_t invalid = invalid_prefix(text);
      if (invalid > 0) encoder.encode(text.substr(0, invalid), out);
      text.remove_prefix(invalid);
    }
    return {};
  }

  std::array<TokenId, 256> byte_ids() const {
    std::array<TokenId, 256> ids;
    for (std::size_t byte = 0; byte < ids.size(); ++byte) {
      ids[byte] = token_of(static_cast<std::uint8_t>(byte)).value_or(-1);
    }
    return ids;
  }

  std::optional<TokenId> token_of(std::uint8_t byte) const {
    const auto id = vocabulary().spellings.find(byte_spelling(byte));
    if (id && kind(*id) != TokenKind::kControl) return id;
    const std::optional<TokenId> unknown = specials().unknown;
    return unknown && kind(*unknown) == TokenKind::kUnknown ? unknown : std::nullopt;
  }

  PreTokenizer pre_tokenizer_;
  ByteMerges merges_;
};

TokenizerVocabulary build_vocabulary(GgufTokens tokens, SpecialIds specials, bool find_surfaces) {
  const std::size_t count = tokens.kinds.size();
  StringTable spellings(count, tokens.bytes);
  StringTable surfaces(find_surfaces ? count : 0, tokens.bytes);
  std::string surface;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view spelling = tokens.spellings[i];
    const bool is_word = tokens.kinds[i] == TokenKind::kNormal || tokens.kinds[i] == TokenKind::kUnused;
    surface.clear();
    if (is_word) {
      append_surface(spelling, surface);
    } else {
      surface = spelling;
    }
    spellings.add(spelling, !spelling.empty());
    surfaces.add(surface, find_surfaces && is_word && !surface.empty());
  }
  return {std::move(spellings), std::move(surfaces), std::move(tokens.kinds), std::move(specials)};
}

Result<PreTokenizer> read_pre_tokenizer_name(const Gguf& file) {
  constexpr std::string_view kName = "tokenizer.ggml.pre";
  if (file.find(kName) == nullptr) return PreTokenizer::create("default");
  const auto name = file.get_string(kName);
  if (!name) return name.error();
  if (*name != kExpressionScheme) return PreTokenizer::create(*name);
  const auto expression = file.get_string(kExpressionKey);
  if (!expression) return expression.error();
  return PreTokenizer::from_expression(*expression);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> read_byte_bpe(const Gguf& file) {
  auto pre_tokenizer = read_pre_tokenizer_name(file);
  if (!pre_tokenizer) return pre_tokenizer.error();
  auto tokens = read_tokens(file);
  if (!tokens) return tokens.error();
  SpecialDefaults defaults;
  defaults.add_bos = pre_tokenizer->add_bos();
  auto specials = read_specials(file, *tokens, defaults);
  if (!specials) return specials.error();
  TokenizerVocabulary vocabulary =
      build_vocabulary(std::move(*tokens), std::move(*specials), pre_tokenizer->ignore_merges());
  auto merges = read_merges(file, vocabulary.spellings);
  if (!merges) return merges.error();
  return std::unique_ptr<Tokenizer>(
      std::make_unique<ByteBpe>(std::move(vocabulary), std::move(*pre_tokenizer), std::move(*merges)));
}

}  // namespace partita::internal
