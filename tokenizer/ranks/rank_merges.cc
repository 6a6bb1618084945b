#include "tokenizer/ranks/rank_merges.h"

#include <cstddef>
#include <optional>
#include <string_view>

#include "tokenizer/lookup.h"
#include "tokenizer/models/merger.h"
#include "tokenizer/utf8.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

class RankMergeFinder {
 public:
  RankMergeFinder(const std::vector<std::string>& tokens, RankUnit unit)
      : tokens_(tokens), unit_(unit), ranks_(tokens.size(), 0) {
    for (const std::string& token : tokens) ranks_.add(token, !token.empty());
  }

  /// Looking a part of a token up takes time in proportion to its length.
  Result<void> check_work() const {
    constexpr std::size_t kMaxWork = std::size_t{1} << 31;
    std::size_t work = 0;
    for (const std::string& token : tokens_) work += token.size() * token.size();
    if (work <= kMaxWork) return {};
    return Error{ErrorCode::kBadFile,
                 sentence("its tokens are too long together: the squares of their lengths are ", work,
                          " bytes, more than ", kMaxWork)};
  }

  /// nullopt: merges do not make this token.
  std::optional<RankMerge> last_merge(std::string_view token) {
    std::vector<Symbol>& symbols = merger_.symbols;
    symbols.clear();
    for (std::size_t at = 0; at < token.size();) {
      const std::size_t length = unit_ == RankUnit::kByte ? 1 : first_unit(token.substr(at)).length;
      const std::int32_t rank = ranks_.find(token.substr(at, length)).value_or(-1);
      symbols.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length), rank});
      at += length;
    }
    std::optional<RankMerge> last;
    merger_.run([&](const Symbol& left, const Symbol& right) -> std::optional<Merge> {
      const std::string_view joined = token.substr(left.start, left.length + right.length);
      const auto rank = ranks_.find(joined);
      if (!rank || left.id < 0 || right.id < 0) return std::nullopt;
      if (joined.size() == token.size()) last = {left.id, right.id, *rank};
      return Merge{static_cast<std::uint32_t>(*rank), *rank};
    });
    return last;
  }

 private:
  const std::vector<std::string>& tokens_;
  RankUnit unit_;
  StringTable ranks_;
  Merger merger_;
};

}  // namespace

Result<RankMerges> rank_merges(const std::vector<std::string>& tokens, RankUnit unit) {
  RankMergeFinder finder(tokens, unit);
  TRY(finder.check_work());
  RankMerges out;
  for (const std::string& token : tokens) {
    if (token.size() < 2) continue;
    if (const auto merge = finder.last_merge(token)) {
      out.merges.push_back(*merge);
    } else {
      out.makes_all_tokens = false;
    }
  }
  return out;
}

}  // namespace partita::internal
