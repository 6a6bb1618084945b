#include "tokenizer/models/unigram.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "tokenizer/models/wordlevel.h"
#include "tokenizer/utf8.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr double kUnknownPenalty = 10;
constexpr TokenId kUnknownText = -2;  // of a node: text without a token

}  // namespace

Unigram::Unigram(std::vector<PrefixMatcher::Spelling> pieces, std::vector<double> scores,
                 std::optional<TokenId> unknown, const std::array<std::optional<TokenId>, 256>& byte_tokens)
    : scores_(std::move(scores)), unknown_(unknown), byte_tokens_(byte_tokens) {
  double least = std::numeric_limits<double>::infinity();
  for (const PrefixMatcher::Spelling& piece : pieces)
    least = std::min(least, scores_[static_cast<std::size_t>(piece.id)]);
  unknown_score_ = pieces.empty() ? 0 : least - kUnknownPenalty;
  pieces_ = PrefixMatcher(std::move(pieces));
}

Result<void> Unigram::encode(std::string_view piece, ModelScratch& scratch, std::vector<TokenId>& out) const {
  find_paths(piece, scratch.nodes);
  // Back from the end: the tokens of the best path, with adjacent unknown text joined.
  std::vector<ModelScratch::Node>& nodes = scratch.nodes;
  std::vector<std::size_t>& ends = scratch.ends;
  ends.clear();
  for (std::size_t end = piece.size(); end > 0; end = nodes[end].begin) ends.push_back(end);
  const auto is_unknown = [&](std::size_t end) {
    return nodes[end].id == kUnknownText || nodes[end].id == unknown_;
  };
  for (std::size_t i = ends.size(); i-- > 0;) {
    const std::size_t begin = nodes[ends[i]].begin;
    if (!is_unknown(ends[i])) {
      out.push_back(nodes[ends[i]].id);
      continue;
    }
    while (i > 0 && is_unknown(ends[i - 1])) --i;
    TRY(write_unknown(piece.substr(begin, ends[i] - begin), out));
  }
  return {};
}

void Unigram::find_paths(std::string_view piece, std::vector<ModelScratch::Node>& nodes) const {
  nodes.assign(piece.size() + 1, {});
  for (std::size_t at = 0; at < piece.size();) {
    const double before = nodes[at].score;
    const auto offer = [&](std::size_t length, double score, TokenId id) {
      ModelScratch::Node& node = nodes[at + length];
      if (node.id == -1 || before + score > node.score) node = {before + score, at, id};
    };
    const std::size_t character = first_unit(piece.substr(at)).length;
    bool is_known = false;
    pieces_.for_each_prefix(piece.substr(at), [&](std::size_t length, TokenId id) {
      offer(length, scores_[static_cast<std::size_t>(id)], id);
      is_known = is_known || length == character;
    });
    if (!is_known) offer(character, unknown_score_, kUnknownText);
    at += character;
  }
}

/// Text that is a token as a whole is that token.
Result<void> Unigram::write_unknown(std::string_view text, std::vector<TokenId>& out) const {
  if (const auto whole = pieces_.longest_prefix(text); whole.length == text.size()) {
    out.push_back(whole.id);
    return {};
  }
  const auto token_of = [this](char byte) { return byte_tokens_[static_cast<std::uint8_t>(byte)]; };
  if (std::all_of(text.begin(), text.end(), [&](char byte) { return token_of(byte).has_value(); })) {
    for (const char byte : text) out.push_back(*token_of(byte));
    return {};
  }
  if (!unknown_) return no_unknown_token(text);
  out.push_back(*unknown_);
  return {};
}

}  // namespace partita::internal
