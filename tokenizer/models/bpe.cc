#include "tokenizer/models/bpe.h"

#include <algorithm>
#include <utility>

#include "tokenizer/models/wordlevel.h"
#include "tokenizer/utf8.h"
#include "weights/try.h"

namespace partita::internal {

Bpe::Bpe(const StringTable& spellings, MergeTable merges, Settings settings)
    : spellings_(spellings), merges_(std::move(merges)), settings_(std::move(settings)) {}

Result<void> Bpe::encode(std::string_view piece, ModelScratch& scratch, std::vector<TokenId>& out) const {
  if (settings_.ignore_merges) {
    if (const auto id = spellings_.find(piece)) {
      out.push_back(*id);
      return {};
    }
  }
  std::vector<Symbol>& symbols = scratch.merger.symbols;
  symbols.clear();
  bool follows_unknown = false;
  for (std::size_t at = 0; at < piece.size();) {
    const std::string_view character = piece.substr(at, first_unit(piece.substr(at)).length);
    const auto id = find(character, at == 0, at + character.size() == piece.size(), scratch.text);
    if (id) {
      symbols.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(character.size()), *id});
      follows_unknown = false;
    } else if (has_bytes(scratch.text)) {
      for (const char byte : scratch.text)
        symbols.push_back(
            {static_cast<std::uint32_t>(at), 1, *settings_.byte_tokens[static_cast<std::uint8_t>(byte)]});
    } else {
      TRY(add_unknown(character, follows_unknown, symbols));
      follows_unknown = true;
    }
    at += character.size();
  }
  scratch.merger.run(
      [this](const Symbol& left, const Symbol& right) { return merges_.find(left.id, right.id); });
  for (const Symbol& symbol : symbols) {
    if (symbol.length > 0) out.push_back(symbol.id);
  }
  return {};
}

std::size_t Bpe::dropped(std::string_view piece) const {
  if (settings_.unknown || settings_.unknown_is_missing) return 0;
  std::size_t count = 0;
  std::string text;
  for (std::size_t at = 0; at < piece.size();) {
    const std::string_view character = piece.substr(at, first_unit(piece.substr(at)).length);
    const bool is_last = at + character.size() == piece.size();
    if (!find(character, at == 0, is_last, text) && !has_bytes(text)) ++count;
    at += character.size();
  }
  return count;
}

/// text: becomes the spelling that was looked for.
std::optional<TokenId> Bpe::find(std::string_view character, bool is_first, bool is_last,
                                 std::string& text) const {
  text.clear();
  if (!is_first) text += settings_.continuing_prefix;
  text += character;
  if (is_last) text += settings_.end_suffix;
  return spellings_.find(text);
}

bool Bpe::has_bytes(std::string_view text) const {
  return std::all_of(text.begin(), text.end(), [this](char byte) {
    return settings_.byte_tokens[static_cast<std::uint8_t>(byte)].has_value();
  });
}

Result<void> Bpe::add_unknown(std::string_view character, bool follows_unknown,
                              std::vector<Symbol>& symbols) const {
  if (settings_.unknown_is_missing) return no_unknown_token(character);
  if (!settings_.unknown) return {};
  const auto length = static_cast<std::uint32_t>(character.size());
  if (follows_unknown && settings_.fuse_unknown) {
    symbols.back().length += length;
  } else {
    symbols.push_back({0, length, *settings_.unknown});
  }
  return {};
}

}  // namespace partita::internal
