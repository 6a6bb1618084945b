// What identifies a row of a batch, and its answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <partita/partita.hpp>
#include <string>
#include <vector>

#include "tools/common.h"

namespace tools {

/// The format of a row, which decides the format of its answer.
enum class RowForm : std::uint8_t { kPlain, kChat, kCompletion };  // the last two: OpenAI's batch lines

/// Identifies a row in the output. The id is the line's number (from 1) if the line has none.
struct RowId {
  Json id;
  RowForm form = RowForm::kPlain;
  std::size_t line = 0;
  bool duplicate = false;  // another row owns the id, or it cannot be read (batch_ledger.h)
};

struct RowAnswer {
  std::string text;
  std::vector<partita::TokenId> ids;
  Json logprobs, confidence;  // arrays if they were asked for, else null
  Json applied;               // applied_json() of the request
  partita::Finish finish = partita::Finish::kNone;
  std::size_t prompt_tokens = 0;
  int max_tokens = -1;  // of the request
};

}  // namespace tools
