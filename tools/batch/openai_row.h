// OpenAI batch format: {"custom_id","method","url","body"} in, response lines out.
#pragma once

#include "tools/batch/row_types.h"

namespace tools {

/// True if an input row has this format: it has a "body", or a "custom_id" and no key of a plain row.
bool is_openai_row(const Json& row);

/// The equivalent plain row. Error: kInvalidArgument for another endpoint, and for unsupported keys of the
/// body that would change the answer.
partita::Result<Json> plain_row_of(const Json& row);

/// {"id","custom_id","response":{"status_code":200,"request_id","body"},"error":null}. It is
/// reproducible: the ids are derived from custom_id, "created" is 0.
Json openai_answer(const RowId& id, const RowAnswer& answer, const partita::Model& model);
/// {"id","custom_id","response":{"status_code":400 or 500,"request_id","body":{"error"}},
/// "error":{"code","message"}[,"line" of a duplicate row]}
Json openai_error(const RowId& id, const partita::Error& error);

}  // namespace tools
