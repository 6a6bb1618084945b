// Prompt lookup decoding.
#pragma once

#include <memory>

#include "api/serving/drafter.h"

namespace partita::internal {

/// Prompt lookup decoding (Saxena 2023): finds the last tokens earlier in the text and drafts what followed
/// there. It serves answers that quote, such as summaries and edits.
std::unique_ptr<Drafter> make_prompt_lookup();

}  // namespace partita::internal
