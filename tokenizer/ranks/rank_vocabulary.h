// Vocabularies of byte-level BPE without merges: the rank of a token tells when it is merged. tiktoken's rank
// files and Mistral's tekken.json.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"

namespace partita::internal {

/// A token that no merges make: it is a token wherever its text stands.
struct RankSpecial {
  std::string text;
  std::size_t id = 0;
  bool is_control = true;
};

struct RankVocabulary {
  std::vector<std::string> tokens;  // the bytes of each rank; empty: no token has this rank
  std::size_t first_id = 0;         // of rank 0
  std::string expression;           // whose matches are words, in the syntax of fancy-regex; empty: not known
  std::vector<RankSpecial> specials;
};

/// Bytes of a file; the largest in use have 20 MB.
inline constexpr std::size_t kMaxRankFile = std::size_t{64} << 20;

/// A rank file of tiktoken: on each line the bytes of a token in base64, a space, its rank. It has neither an
/// expression nor special tokens. Error: kBadFile with the line; for a token or a rank that comes twice, a
/// byte without a token, a token above 1,024 bytes, ranks with large gaps.
Result<RankVocabulary> read_ranks(std::string_view text);

/// tekken.json of version 3 and newer. Ids of special tokens come first. Errors: those of read_json();
/// kBadFile with the field; kUnsupported for a version that this one does not know.
Result<RankVocabulary> read_tekken(std::string_view text);

/// What both formats promise of their tokens. Error: kBadFile.
Result<void> check_ranks(const std::vector<std::string>& tokens);

}  // namespace partita::internal
