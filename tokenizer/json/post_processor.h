// Post-processors of tokenizer.json: what is added before and after the ids of a prompt.
#pragma once

#include <vector>

#include "tokenizer/json/fields.h"
#include "tokenizer/token.h"

namespace partita::internal {

struct PromptTemplate {
  std::vector<TokenId> before, after;
};

/// Adds what a component, by its "type", puts around one text. Ids must be below `vocabulary`. An error is
/// kept by `fields`.
void read_post_processor(ComponentFields fields, std::size_t vocabulary, PromptTemplate& to);

}  // namespace partita::internal
