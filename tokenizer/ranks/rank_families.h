// What rank files do not say: how known ones split text, and their special tokens.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/ranks/rank_vocabulary.h"

namespace partita::internal {

struct RankFamily {
  std::string_view name;
  std::string_view file;             // the name of its rank file; empty: no name tells
  std::string_view tokenizer_class;  // in tokenizer_config.json
  std::size_t ranks;                 // how many tokens it has
  std::string_view pre;              // the pre-tokenizer, by the name in tokenizer.ggml.pre
  std::string_view bos, eos;
  bool add_bos;
  std::vector<RankSpecial> (*specials)(std::size_t base);  // base: behind the last rank
};

/// The family of a rank file: by tokenizer_class, else by the name of the file, else by the number of tokens.
/// Null: none.
const RankFamily* find_rank_family(std::string_view tokenizer_class, std::string_view file,
                                   std::size_t ranks);

/// The names of all, with commas between.
std::string rank_family_names();

}  // namespace partita::internal
