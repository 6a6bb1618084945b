#include "tokenizer/models/piece_bpe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/models/merger.h"
#include "tokenizer/models/piece_surface.h"
#include "tokenizer/prefix_matcher.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/vocabulary_tokenizer.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// Higher scores merge first: maps the bits of a float to an integer in the order of the floats, then inverts
/// that order.
std::uint32_t rank_of_score(float score) {
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0f);  // -0 and 0 are equal
  const std::uint32_t ascending = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

/// Like SentencePiece's normalizer: removes spaces at both ends and repeated spaces.
std::string collapse_spaces(std::string_view text) {
  std::string result;
  for (const char byte : text) {
    if (byte != ' ' || !(result.empty() || result.ends_with(' '))) result += byte;
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

class PieceBpe final : public VocabularyTokenizer {
 public:
  PieceBpe(TokenizerVocabulary words, std::vector<float> scores, bool remove_extra_whitespaces)
      : VocabularyTokenizer(std::move(words)), remove_extra_whitespaces_(remove_extra_whitespaces) {
    ranks_.reserve(size());
    for (const float score : scores) ranks_.push_back(rank_of_score(score));
    token_of_byte_ = byte_tokens(vocabulary());
    has_bytes_ = std::all_of(token_of_byte_.begin(), token_of_byte_.end(),
                             [](const std::optional<TokenId>& id) { return id.has_value(); });
  }

 private:
  /// The state of encoding one text.
  struct EncodeState {
    std::string_view text;
    Merger merger;
    std::unordered_map<TokenId, std::uint32_t> split_of;  // unused piece -> length of its left part in bytes
  };

  Result<void> encode_text(std::string_view text, bool at_start, std::vector<TokenId>& out) const override {
    const bool wants_space = at_start && vocabulary().add_space_prefix;
    std::string changed;
    if (wants_space || remove_extra_whitespaces_ || !has_bytes_) {
      changed = has_bytes_ ? std::string(text) : unescape_spaces(text);
      if (remove_extra_whitespaces_) changed = collapse_spaces(changed);
      if (wants_space && !changed.empty()) changed.insert(0, 1, ' ');
      text = changed;
    }
    EncodeState state;
    return split_at_matches(
        user_defined(), text,
        [&](std::string_view stretch) {
          state.text = stretch;
          return encode_stretch(state, out);
        },
        [&out](TokenId id) { out.push_back(id); });
  }

  Result<void> encode_stretch(EncodeState& state, std::vector<TokenId>& out) const {
    std::vector<Symbol>& symbols = state.merger.symbols;
    symbols.clear();
    state.split_of.clear();
    for (std::size_t at = 0; at < state.text.size();) {
      const Utf8Unit unit = first_unit(state.text.substr(at));
      const std::size_t length = unit.kind == Utf8Unit::Kind::kCharacter ? unit.length : 1;
      const auto id = vocabulary().surfaces.find(state.text.substr(at, length));
      symbols.push_back(
          {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length), id.value_or(-1)});
      at += length;
    }
    state.merger.run([&](const Symbol& left, const Symbol& right) { return merge_of(left, right, state); });
    bool after_unknown = false;
    for (const Symbol& symbol : symbols) {
      if (symbol.length == 0) continue;
      TRY(write(symbol, state, after_unknown, out));
    }
    return {};
  }

  std::optional<Merge> merge_of(const Symbol& left, const Symbol& right, EncodeState& state) const {
    const auto id = vocabulary().surfaces.find(state.text.substr(left.start, left.length + right.length));
    if (!id) return std::nullopt;
    if (kind(*id) == TokenKind::kUnused) state.split_of[*id] = left.length;
    return Merge{ranks_[static_cast<std::size_t>(*id)], *id};
  }

  /// Appends a symbol's ids. An unused piece is split into the parts it was merged from.
  Result<void> write(const Symbol& symbol, const EncodeState& state, bool& after_unknown,
                     std::vector<TokenId>& out) const {
    if (symbol.id >= 0 && kind(symbol.id) != TokenKind::kUnused) {
      out.push_back(symbol.id);
      after_unknown = false;
      return {};
    }
    std::vector<std::string_view> pending{state.text.substr(symbol.start, symbol.length)};
    while (!pending.empty()) {
      const std::string_view part = pending.back();
      pending.pop_back();
      const auto id = vocabulary().surfaces.find(part);
      if (!id) {
        TRY(write_unknown(part, after_unknown, out));
        continue;
      }
      const auto split = kind(*id) == TokenKind::kUnused ? state.split_of.find(*id) : state.split_of.end();
      if (split == state.split_of.end()) {
        out.push_back(*id);
        after_unknown = false;
      } else {
        pending.push_back(part.substr(split->second));
        pending.push_back(part.substr(0, split->second));
      }
    }
    return {};
  }

  /// Appends a character that is not a piece: as byte tokens if there are any, else one unknown token per run
  /// of such characters.
  Result<void> write_unknown(std::string_view character, bool& after_unknown,
                             std::vector<TokenId>& out) const {
    if (has_bytes_) {
      for (const char byte : character) out.push_back(*token_of_byte_[static_cast<std::uint8_t>(byte)]);
      return {};
    }
    if (!specials().unknown) return no_token(character);
    if (!after_unknown) out.push_back(*specials().unknown);
    after_unknown = true;
    return {};
  }

  static Error no_token(std::string_view character) {
    std::string bytes;
    for (const char byte : character) {
      char hex[4];
      std::snprintf(hex, sizeof hex, " %02X", static_cast<unsigned>(static_cast<std::uint8_t>(byte)));
      bytes += hex;
    }
    return {ErrorCode::kUnsupported,
            "the vocabulary has no piece, no byte tokens and no unknown token for the bytes" + bytes};
  }

  bool remove_extra_whitespaces_;
  bool has_bytes_ = false;            // every byte has a token, so that any text can be encoded
  std::vector<std::uint32_t> ranks_;  // of the merge that produces a piece; lowest first
  std::array<std::optional<TokenId>, 256> token_of_byte_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> read_piece_bpe(const Gguf& file) {
  auto tokens = read_tokens(file);
  if (!tokens) return tokens.error();
  mark_byte_tokens(*tokens);
  auto scores = read_scores(file, tokens->kinds.size());
  if (!scores) return scores.error();
  SpecialDefaults defaults;  // those of Llama, whose first GGUF files lacked the keys
  defaults.add_bos = true;
  defaults.unknown = 0;
  defaults.bos = 1;
  defaults.eos = 2;
  auto specials = read_specials(file, *tokens, defaults);
  if (!specials) return specials.error();
  const auto add_space_prefix = file.get_bool("tokenizer.ggml.add_space_prefix", true);
  if (!add_space_prefix) return add_space_prefix.error();
  const auto remove_extra_whitespaces = file.get_bool("tokenizer.ggml.remove_extra_whitespaces", false);
  if (!remove_extra_whitespaces) return remove_extra_whitespaces.error();
  auto vocabulary = piece_vocabulary(std::move(*tokens), std::move(*specials), Spellings::kForDisplay);
  if (!vocabulary) return vocabulary.error();
  vocabulary->add_space_prefix = *add_space_prefix;
  return std::unique_ptr<Tokenizer>(
      std::make_unique<PieceBpe>(std::move(*vocabulary), std::move(*scores), *remove_extra_whitespaces));
}

}  // namespace partita::internal
