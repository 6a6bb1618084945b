#include "api/chat_tokens.h"

#include "weights/try.h"

#include <algorithm>

namespace partita::internal {

ControlTokens::ControlTokens(const Tokenizer& tokenizer) {
  for (std::size_t i = 0; i < tokenizer.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string_view spelling = tokenizer.spelling(id);
    if (tokenizer.kind(id) != TokenKind::kControl || spelling.empty()) continue;
    by_first_[static_cast<unsigned char>(spelling[0])].push_back({std::string(spelling), id});
  }
  for (std::vector<Spelling>& same_first : by_first_) {
    std::stable_sort(same_first.begin(), same_first.end(),
                     [](const Spelling& a, const Spelling& b) { return a.text.size() > b.text.size(); });
  }
}

std::vector<ControlTokens::Match> ControlTokens::find(std::string_view text,
                                                      const std::vector<bool>& trusted) const {
  const auto may_match = [&](std::size_t begin, std::size_t end) {
    return trusted.empty() || std::find(trusted.begin() + static_cast<std::ptrdiff_t>(begin),
                                        trusted.begin() + static_cast<std::ptrdiff_t>(end),
                                        false) == trusted.begin() + static_cast<std::ptrdiff_t>(end);
  };
  std::vector<Match> matches;
  for (std::size_t at = 0; at < text.size();) {
    const std::vector<Spelling>& candidates = by_first_[static_cast<unsigned char>(text[at])];
    const auto hit = std::find_if(candidates.begin(), candidates.end(), [&](const Spelling& s) {
      return text.compare(at, s.text.size(), s.text) == 0 && may_match(at, at + s.text.size());
    });
    if (hit == candidates.end()) {
      ++at;
      continue;
    }
    matches.push_back({at, at + hit->text.size(), hit->id});
    at += hit->text.size();
  }
  return matches;
}

Result<std::vector<TokenId>> tokenize_pieces(const Tokenizer& tokenizer, const ControlTokens& controls,
                                             std::span<const ChatTemplate::Piece> pieces) {
  std::string text;
  std::vector<bool> trusted;
  for (const ChatTemplate::Piece& piece : pieces) {
    text += piece.text;
    trusted.resize(text.size(), !piece.from_message);
  }
  const std::vector<ControlTokens::Match> matches = controls.find(text, trusted);
  const SpecialIds& specials = tokenizer.specials();
  std::vector<TokenId> ids;
  const bool brings_bos = !matches.empty() && matches[0].begin == 0 && matches[0].id == specials.bos;
  if (specials.add_bos && specials.bos && !brings_bos) ids.push_back(*specials.bos);

  const bool only_trusted = controls.find(text, {}).size() == matches.size();
  if (only_trusted) {
    TRY(tokenizer.encode(text, Specials::kParse, ids));
    return ids;
  }
  const auto encode_text = [&](std::size_t begin, std::size_t end) -> Result<void> {
    if (begin == end) return {};
    return tokenizer.encode(std::string_view(text).substr(begin, end - begin), Specials::kAsText, ids);
  };
  std::size_t from = 0;
  for (const ControlTokens::Match& match : matches) {
    TRY(encode_text(from, match.begin));
    ids.push_back(match.id);
    from = match.end;
  }
  TRY(encode_text(from, text.size()));
  return ids;
}

}  // namespace partita::internal
