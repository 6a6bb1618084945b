// Output rows of a batch: answers and errors to JSON.
#pragma once

#include "tools/batch/row_types.h"

namespace tools {

/// {"id","text","ids","finish","error":null[,"context_full":true][,"logprobs"][,"confidence"]}, or
/// openai_answer()
Json answer_row(const RowId& id, const RowAnswer& answer, const partita::Model& model);
/// {"id","error"[,"line" of a duplicate row]}, or openai_error()
Json error_row(const RowId& id, const partita::Error& error);

// For output rows of either format.
Json id_of_written(const Json& row);
bool is_error_row(const Json& row);

}  // namespace tools
