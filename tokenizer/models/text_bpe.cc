#include "tokenizer/models/text_bpe.h"

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
#include "tokenizer/models/merger.h"
#include "tokenizer/models/merges.h"
#include "tokenizer/models/piece_surface.h"
#include "tokenizer/prefix_matcher.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary_tokenizer.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// What the tokenizers differ in. All split text into lines and runs of newlines; merges do not cross these.
struct Style {
  std::string_view name;  // tokenizer.ggml.pre
  bool newline_tokens;    // a run of newlines that is in the vocabulary is one token, whatever the merges say
  bool space_words;       // a line begins with a space, and a word with each space
  bool adds_bos;          // always: files of Gemma 4 say that they do not
};

constexpr std::array kStyles = {Style{"gemma4", true, false, true},
                                Style{"granite-embed-multi-311m", true, false, true},
                                Style{"mmbert", true, true, false}, Style{"sarvam-moe", false, false, false}};

const Style* style_of(const Gguf& file) {
  const auto model = file.get_string("tokenizer.ggml.model");
  const auto pre = file.get_string("tokenizer.ggml.pre");
  if (model && *model == "gemma4") return &kStyles[0];
  if (!model || *model != "gpt2" || !pre) return nullptr;
  const auto* const found =
      std::find_if(kStyles.begin(), kStyles.end(), [&](const Style& style) { return style.name == *pre; });
  return found == kStyles.end() ? nullptr : found;
}

class TextBpe final : public VocabularyTokenizer {
 public:
  TextBpe(TokenizerVocabulary words, MergeTable merges, const Style& style)
      : VocabularyTokenizer(std::move(words)),
        merges_(std::move(merges)),
        style_(style),
        token_of_byte_(byte_tokens(vocabulary())) {}

  std::size_t dropped_bytes(std::string_view text) const override {
    if (specials().unknown) return 0;
    std::size_t dropped = 0;
    (void)split_at_matches(
        user_defined(), text,
        [&](std::string_view stretch) {
          each_character(stretch, [&](std::string_view character, std::optional<TokenId> id) {
            if (!id) dropped += missing_bytes(character);
          });
          return Result<void>();
        },
        [](TokenId) {});
    return dropped;
  }

 private:
  Result<void> encode_text(std::string_view text, bool, std::vector<TokenId>& out) const override {
    Merger merger;
    return split_at_matches(
        user_defined(), text,
        [&](std::string_view stretch) {
          encode_lines(stretch, merger, out);
          return Result<void>();
        },
        [&out](TokenId id) { out.push_back(id); });
  }

  void encode_lines(std::string_view text, Merger& merger, std::vector<TokenId>& out) const {
    while (!text.empty()) {
      const bool is_line = text[0] != '\n';
      const std::string_view run = text.substr(0, is_line ? text.find('\n') : text.find_first_not_of('\n'));
      if (is_line && style_.space_words) {
        encode_space_words(run, merger, out);
      } else if (const auto id = find_newlines(run)) {
        out.push_back(*id);
      } else {
        encode_word(run, merger, out);
      }
      text.remove_prefix(run.size());
    }
  }

  std::optional<TokenId> find_newlines(std::string_view run) const {
    return style_.newline_tokens && run[0] == '\n' ? vocabulary().surfaces.find(run) : std::nullopt;
  }

  void encode_space_words(std::string_view line, Merger& merger, std::vector<TokenId>& out) const {
    const std::string spaced = line[0] == ' ' ? std::string(line) : " " + std::string(line);
    for (std::size_t start = 0; start < spaced.size();) {
      const std::size_t end = std::min(spaced.find(' ', start + 1), spaced.size());
      encode_word(std::string_view(spaced).substr(start, end - start), merger, out);
      start = end;
    }
  }

  void encode_word(std::string_view word, Merger& merger, std::vector<TokenId>& out) const {
    merger.symbols.clear();
    each_character(word, [&](std::string_view character, std::optional<TokenId> id) {
      merger.symbols.push_back({static_cast<std::uint32_t>(character.data() - word.data()),
                                static_cast<std::uint32_t>(character.size()), id.value_or(-1)});
    });
    merger.run([this](const Symbol& left, const Symbol& right) {
      return left.id < 0 || right.id < 0 ? std::nullopt : merges_.find(left.id, right.id);
    });
    for (const Symbol& symbol : merger.symbols) {
      if (symbol.length == 0) continue;
      if (symbol.id >= 0) {
        out.push_back(symbol.id);
      } else {
        write_bytes(word.substr(symbol.start, symbol.length), out);
      }
    }
  }

  /// Calls f(character, its token if it has one); invalid UTF-8 is taken byte by byte.
  template <class F>
  void each_character(std::string_view text, F&& f) const {
    while (!text.empty()) {
      const Utf8Unit unit = first_unit(text);
      const std::size_t length = unit.kind == Utf8Unit::Kind::kCharacter ? unit.length : 1;
      f(text.substr(0, length), vocabulary().surfaces.find(text.substr(0, length)));
      text.remove_prefix(length);
    }
  }

  std::size_t missing_bytes(std::string_view character) const {
    return static_cast<std::size_t>(std::count_if(character.begin(), character.end(), [this](char byte) {
      return !token_of_byte_[static_cast<std::uint8_t>(byte)];
    }));
  }

  /// Appends a character that is no token: its bytes; for a byte without a token the unknown one, or nothing.
  void write_bytes(std::string_view character, std::vector<TokenId>& out) const {
    for (const char byte : character) {
      std::optional<TokenId> id = token_of_byte_[static_cast<std::uint8_t>(byte)];
      if (!id) id = specials().unknown;
      if (id) out.push_back(*id);
    }
  }

  MergeTable merges_;
  Style style_;
  std::array<std::optional<TokenId>, 256> token_of_byte_;
};

}  // namespace

bool is_text_bpe(const Gguf& file) { return style_of(file) != nullptr; }

Result<std::unique_ptr<Tokenizer>> read_text_bpe(const Gguf& file) {
  const Style& style = *style_of(file);
  auto tokens = read_tokens(file);
  if (!tokens) return tokens.error();
  mark_byte_tokens(*tokens);
  auto specials = read_specials(file, *tokens, {});
  if (!specials) return specials.error();
  if (style.adds_bos && specials->bos) specials->add_bos = true;
  auto vocabulary = piece_vocabulary(std::move(*tokens), std::move(*specials), Spellings::kForMerges);
  if (!vocabulary) return vocabulary.error();
  auto merges = read_merges(file, vocabulary->spellings);
  if (!merges) return merges.error();
  return std::unique_ptr<Tokenizer>(
      std::make_unique<TextBpe>(std::move(*vocabulary), std::move(*merges), style));
}

}  // namespace partita::internal
