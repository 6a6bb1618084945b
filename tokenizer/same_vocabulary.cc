#include "tokenizer/same_vocabulary.h"

#include <algorithm>

#include "weights/sentence.h"

namespace partita::internal {
namespace {

std::string_view name(TokenKind kind) {
  switch (kind) {
    case TokenKind::kUnknown:
      return "unknown";
    case TokenKind::kControl:
      return "control";
    case TokenKind::kUserDefined:
      return "user-defined";
    case TokenKind::kUnused:
      return "unused";
    case TokenKind::kByte:
      return "byte";
    case TokenKind::kNormal:
      break;
  }
  return "normal";
}

/// "\"<s>\" (control)"
std::string shown(const Tokenizer& tokenizer, TokenId id) {
  return sentence(quoted(tokenizer.spelling(id)), " (", name(tokenizer.kind(id)), ")");
}

bool same_token(const Tokenizer& first, const Tokenizer& second, TokenId id) {
  return first.kind(id) == second.kind(id) && first.spelling(id) == second.spelling(id) &&
         first.piece(id, true) == second.piece(id, true);
}

std::string shown(const std::optional<TokenId>& id) { return id ? std::to_string(*id) : "none"; }

}  // namespace

std::optional<std::string> vocabulary_difference(const Tokenizer& first, const Tokenizer& second) {
  if (first.size() != second.size()) {
    return sentence("one has ", first.size(), " tokens, the other ", second.size());
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (same_token(first, second, id)) continue;
    return sentence("id ", i, " is ", shown(first, id), " in one, ", shown(second, id), " in the other");
  }
  const SpecialIds& one = first.specials();
  const SpecialIds& other = second.specials();
  if (one.bos != other.bos) {
    return sentence("BOS is id ", shown(one.bos), " in one, ", shown(other.bos), " in the other");
  }
  const auto [mine, theirs] = std::mismatch(one.end_of_generation.begin(), one.end_of_generation.end(),
                                            other.end_of_generation.begin(), other.end_of_generation.end());
  const bool more_here = mine != one.end_of_generation.end();
  const bool more_there = theirs != other.end_of_generation.end();
  if (!more_here && !more_there) return std::nullopt;
  const bool here = more_here && (!more_there || *mine < *theirs);  // the lists are sorted
  const TokenId id = here ? *mine : *theirs;
  return sentence("id ", id, ", ", quoted(first.spelling(id)), ", ends an answer in ",
                  here ? "one, not in the other" : "the other, not in the first");
}

}  // namespace partita::internal
