#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "tokenizer/base64.h"
#include "tokenizer/ranks/rank_vocabulary.h"
#include "tokenizer/vocabulary.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::size_t kMaxRankToken = 1024;  // bytes; the longest in use have 128
constexpr std::size_t kMaxRankGap = 4096;    // ranks without a token

Error bad_ranks(std::string message) { return {ErrorCode::kBadFile, std::move(message)}; }

struct RankLine {
  std::string token;
  std::size_t rank = 0;
};

/// nullopt: not a token in base64, a space and a rank.
std::optional<RankLine> parse_rank_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == line.npos || space == 0) return std::nullopt;
  auto token = decode_base64(line.substr(0, space));
  const std::string_view number = line.substr(space + 1);
  RankLine parsed;
  const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), parsed.rank);
  if (!token || error != std::errc() || stop != number.data() + number.size()) return std::nullopt;
  parsed.token = *std::move(token);
  return parsed;
}

}  // namespace

Result<void> check_ranks(const std::vector<std::string>& tokens) {
  std::unordered_set<std::string_view> known;
  for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
    const std::string& token = tokens[rank];
    if (token.size() > kMaxRankToken) {
      return bad_ranks(
          sentence("the token of rank ", rank, " has ", token.size(), " bytes, more than ", kMaxRankToken));
    }
    if (!token.empty() && !known.insert(token).second)
      return bad_ranks(sentence("the token ", internal::quoted(token), " of rank ", rank, " comes twice"));
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(byte);
    if (!known.contains({&text, 1})) return bad_ranks(sentence("no token is the byte ", byte));
  }
  return {};
}

Result<RankVocabulary> read_ranks(std::string_view text) {
  RankVocabulary out;
  std::size_t count = 0, number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    auto parsed = parse_rank_line(line);
    if (!parsed || parsed->token.empty()) {
      return bad_ranks(sentence("line ", number, " is ", internal::quoted(line),
                                ", not a token in base64, a space and its rank"));
    }
    if (parsed->rank >= kMaxVocabulary || parsed->rank > count + kMaxRankGap) {
      return bad_ranks(sentence("line ", number, " has rank ", parsed->rank, ", more than ", kMaxRankGap,
                                " above the number of tokens before it, or above ", kMaxVocabulary - 1));
    }
    ++count;
    if (parsed->rank >= out.tokens.size()) out.tokens.resize(parsed->rank + 1);
    if (!out.tokens[parsed->rank].empty())
      return bad_ranks(sentence("line ", number, " gives rank ", parsed->rank, " to a second token"));
    out.tokens[parsed->rank] = std::move(parsed->token);
  }
  TRY(check_ranks(out.tokens));
  return out;
}

}  // namespace partita::internal
