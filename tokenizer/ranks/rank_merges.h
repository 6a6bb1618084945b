// The merges that ranks stand for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "partita/result.hpp"

namespace partita::internal {

/// The last merge of a token, by ranks.
struct RankMerge {
  std::int32_t left, right, merged;
};

struct RankMerges {
  std::vector<RankMerge> merges;  // by rank of the merged token
  bool makes_all_tokens = true;   // false: some tokens are made by no merges, and are words alone
};

/// What a token is merged from.
enum class RankUnit : std::uint8_t { kByte, kCharacter };

/// Ranks merge two adjacent tokens whose joined bytes are a token, the lowest first. One merge for each token
/// does the same: while a token is made, no merge crosses its ends, so its bytes are merged as if they were
/// alone, and its last merge is always that one. llama.cpp's converter derives the same merges. tokens: as
/// check_ranks() accepts, or valid UTF-8 of which some characters may be no tokens. Error: kBadFile for
/// tokens that are too long together (the sum of the squares of their lengths is limited to 2^31).
Result<RankMerges> rank_merges(const std::vector<std::string>& tokens, RankUnit unit = RankUnit::kByte);

}  // namespace partita::internal
