// OpenAI's batch lines: {"custom_id","method","url","body"}, and the lines that answer them.
#pragma once

#include "tools/batch/batch_row.h"

namespace tools {

/// Whether a row of the input is of this kind: it has a "body", or a "custom_id" and nothing that makes it a
/// plain row.
bool is_openai_row(const Json& row);

/// The plain row that asks for the same. Error: kInvalidArgument for another endpoint, and for what of the
/// body would change the answer and is not supported.
partita::Result<Json> plain_row_of(const Json& row);

/// {"id","custom_id","response":{"status_code":200,"request_id","body"},"error":null}. Nothing in it is of
/// the moment: the ids are made from custom_id, "created" is 0.
Json openai_answer(const RowId& id, const RowAnswer& answer, const partita::Model& model);
/// {"id","custom_id","response":{"status_code":400 or 500,"request_id","body":{"error"}},
/// "error":{"code","message"}[,"line" of a spare row]}
Json openai_error(const RowId& id, const partita::Error& error);

}  // namespace tools
