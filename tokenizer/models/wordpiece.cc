#include "tokenizer/models/wordpiece.h"

#include <algorithm>
#include <utility>

#include "tokenizer/models/wordlevel.h"

namespace partita::internal {
namespace {

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<std::uint8_t>(c) & 0xC0) != 0x80; }));
}

}  // namespace

WordPiece::WordPiece(PrefixMatcher beginnings, PrefixMatcher continuations, const Settings& settings)
    : beginnings_(std::move(beginnings)), continuations_(std::move(continuations)), settings_(settings) {}

Result<void> WordPiece::encode(std::string_view piece, ModelScratch&, std::vector<TokenId>& out) const {
  const std::size_t size_before = out.size();
  const bool is_long =
      piece.size() > settings_.max_characters && count_characters(piece) > settings_.max_characters;
  std::string_view rest = is_long ? std::string_view() : piece;
  while (!rest.empty()) {
    const bool begins = rest.size() == piece.size();
    const PrefixMatcher::Match match = (begins ? beginnings_ : continuations_).longest_prefix(rest);
    if (match.length == 0) break;
    out.push_back(match.id);
    rest.remove_prefix(match.length);
  }
  if (rest.empty() && !is_long) return {};
  out.resize(size_before);
  if (!settings_.unknown) return no_unknown_token(piece);
  out.push_back(*settings_.unknown);
  return {};
}

}  // namespace partita::internal
