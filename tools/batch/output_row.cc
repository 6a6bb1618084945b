#include "tools/batch/output_row.h"

#include "tools/batch/openai_row.h"
#include "tools/generation/token_text.h"

namespace tools {

Json answer_row(const RowId& id, const RowAnswer& answer, const partita::Model& model) {
  if (id.form != RowForm::kPlain) return openai_answer(id, answer, model);
  Json out = {{"id", id.id},
              {"text", answer.text},
              {"ids", answer.ids},
              {"finish", name(answer.finish)},
              {"error", nullptr}};
  if (ended_with_context(answer.finish, answer.ids.size(), answer.max_tokens)) out["context_full"] = true;
  if (answer.logprobs.is_array()) out["logprobs"] = answer.logprobs;
  if (answer.confidence.is_array()) out["confidence"] = answer.confidence;
  if (!answer.applied.is_null()) out["applied"] = answer.applied;
  return out;
}

Json error_row(const RowId& id, const partita::Error& error) {
  if (id.form != RowForm::kPlain) return openai_error(id, error);
  Json out = {{"id", id.id}, {"error", error.message}};
  if (id.duplicate) out["line"] = id.line;
  return out;
}

Json id_of_written(const Json& row) {
  const auto custom = row.find("custom_id");
  if (custom == row.end()) return row.at("id");
  return custom->is_null() && row.contains("line") ? row["line"] : *custom;
}

bool is_error_row(const Json& row) { return row.contains("error") && !row["error"].is_null(); }

}  // namespace tools
