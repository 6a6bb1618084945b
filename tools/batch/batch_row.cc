#include "tools/batch/batch_row.h"

#include <partita/json.hpp>

#include "tools/batch/openai_row.h"
#include "tools/batch/row_fields.h"
#include "tools/generation/request.h"

namespace tools {
namespace {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

/// Options of `generate` that batches lack: a row that relies on one must not run without it.
constexpr const char* kRefusedKeys[] = {
    "beams",  "length_penalty", "early_stopping", "beam_groups", "diversity_penalty",
    "n_best", "best_of",        "penalty_alpha",  "explain",     "explain_top",
    "with",   "weight",         "ensemble"};

constexpr std::size_t kMaxKeys = 1000;     // of a row
constexpr std::size_t kMaxUnknowns = 100;  // reported

/// The sequence number of a row's random draws, which depends on its id alone: FNV-1a.
std::uint64_t draw_number(const Json& id) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : json_text(id)) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

Result<partita::Request> read_request(const Json& row, const Json& id, const RowDefaults& defaults) {
  Fields fields(row);
  partita::Request request = defaults.request;
  bool mark_unsure = !request.abstain.stops, no_special = !request.parse_specials;
  bool chat = defaults.chat, greedy = false;
  std::string system = defaults.system;

  fields.text("prompt", request.prompt);
  fields.messages("messages", request.messages);
  fields.template_variables(request.chat);
  fields.ids("ids", request.ids);
  fields.integer("n", request.max_tokens, -1);
  fields.integer("max_tokens", request.max_tokens, -1);
  fields.integer("logprobs", request.logprobs, 0);
  fields.preset(request.sampling);
  for_each_option([&](const partita::SamplingOption& option) { fields.option(option, request.sampling); });
  fields.samplers(request.sampling);
  fields.texts("stop", request.stop);
  fields.real("abstain_probability", request.abstain.min_probability);
  fields.real("abstain_margin", request.abstain.min_margin);
  fields.real("abstain_entropy", request.abstain.max_entropy);
  fields.flag("mark_unsure", mark_unsure);
  fields.flag("confidence", request.confidence);
  fields.real("guidance_scale", request.guidance_scale);
  fields.text("negative_prompt", request.negative_prompt);
  fields.adapters("lora", defaults.request.adapters, request.adapters);
  fields.flag("greedy", greedy);
  fields.flag("chat", chat);
  fields.flag("no_special", no_special);
  fields.text("system", system);
  // A row with a seed gives the same answer as `generate --seed`; without one, the draws of the rows are
  // independent.
  if (fields.find("seed") != nullptr) {
    fields.seed("seed", request.sampling.seed);
  } else {
    request.sampling.sequence = draw_number(id);
  }
  if (!fields.problem().empty()) return Error{ErrorCode::kInvalidArgument, fields.problem()};

  const auto has = [&](const char* key) { return fields.find(key) != nullptr; };  // null means absent
  if (greedy && has("temperature")) {
    return Error{ErrorCode::kInvalidArgument,
                 "\"greedy\" is temperature 0; a row with it has no \"temperature\""};
  }
  if (greedy) request.sampling.temperature = 0;
  request.abstain.stops = !mark_unsure;
  request.parse_specials = !no_special;
  if (request.logprobs > kMaxLogprobs) {
    return Error{ErrorCode::kInvalidArgument, "\"logprobs\" is " + std::to_string(request.logprobs) +
                                                  "; a row of a batch has at most " +
                                                  std::to_string(kMaxLogprobs)};
  }
  if (has("chat") && chat && has("ids")) {
    return Error{ErrorCode::kInvalidArgument, "\"chat\" is for a \"prompt\"; \"ids\" are taken as they are"};
  }
  if (has("system") && !(chat && has("prompt"))) {
    return Error{ErrorCode::kInvalidArgument,
                 "\"system\" needs a \"prompt\" and \"chat\": true; \"messages\" have their own"};
  }
  const int sources = int{has("prompt")} + int{has("messages")} + int{has("ids")};
  if (sources != 1) {
    return Error{
        ErrorCode::kInvalidArgument,
        "a row has one of \"prompt\", \"messages\" and \"ids\"; this one has " + std::to_string(sources)};
  }
  for (const char* key : {"tools", "documents", "chat_template_kwargs", "continue_final_message"}) {
    const Json* value = fields.find(key);
    if (value == nullptr || is_empty_value(*value) || has("messages") || (chat && has("prompt"))) continue;
    return Error{ErrorCode::kInvalidArgument,
                 "\"" + std::string(key) + "\" is for the chat template; this row has no \"messages\""};
  }
  if (chat && has("prompt")) set_chat(request, system, std::exchange(request.prompt, {}));
  return request;
}

Error too_many_keys(std::size_t keys) {
  return {ErrorCode::kInvalidArgument,
          "it has " + std::to_string(keys) + " keys; a row has at most " + std::to_string(kMaxKeys)};
}

}  // namespace

RowReader::RowReader(RowDefaults defaults, bool ignore_unknown)
    : defaults_(std::move(defaults)), ignore_unknown_(ignore_unknown) {}

std::variant<Row, BadRow> RowReader::read(const std::string& line, std::size_t line_number) {
  const std::string here = "line " + std::to_string(line_number);
  const Json row = parse_ordered_json(line);
  if (row.is_discarded()) return row_without_id(line_number, partita::check_json(line, here).error().message);
  if (!row.is_object()) return row_without_id(line_number, here + " is not a JSON object");
  if (is_openai_row(row)) return read_openai(row, line_number);
  const bool named = row.contains("id") && !row["id"].is_null();
  RowId id = {named ? row["id"] : Json(line_number), RowForm::kPlain, line_number};
  if (!id.id.is_string() && !id.id.is_number_integer()) {
    return row_without_id(line_number, "the id of " + here + " is neither a string nor an integer");
  }
  return read_plain(row, std::move(id));
}

std::variant<Row, BadRow> RowReader::read_openai(const Json& row, std::size_t line_number) {
  RowId id = {line_number, RowForm::kCompletion, line_number};
  if (!row.contains("custom_id") || !row["custom_id"].is_string()) {
    id.duplicate = true;
    return BadRow{std::move(id),
                  {ErrorCode::kInvalidArgument,
                   "line " + std::to_string(line_number) + " has no \"custom_id\" that is a string"}};
  }
  id.id = row["custom_id"];
  if (row.contains("body") && row["body"].size() > kMaxKeys)
    return BadRow{std::move(id), too_many_keys(row["body"].size())};
  auto plain = plain_row_of(row);
  if (!plain) return BadRow{std::move(id), plain.error()};
  if (plain->contains("messages")) id.form = RowForm::kChat;
  return read_plain(*plain, std::move(id));
}

std::variant<Row, BadRow> RowReader::read_plain(const Json& row, RowId id) {
  for (const char* key : kRefusedKeys) {
    if (row.contains(key)) {
      return BadRow{
          std::move(id),
          {ErrorCode::kInvalidArgument, "\"" + std::string(key) + "\" is for generate, not for batches"}};
    }
  }
  if (row.size() > kMaxKeys) return BadRow{std::move(id), too_many_keys(row.size())};
  for (const auto& [key, value] : row.items()) {
    if (keys_.known(key)) continue;
    if (const auto refused = ignore_unknown_ || is_empty_value(value) ? std::nullopt : refusal_of(key)) {
      return BadRow{std::move(id), {ErrorCode::kInvalidArgument, *refused}};
    }
    if (reported_.size() < kMaxUnknowns && reported_.insert(key).second) new_unknowns_.push_back(key);
  }
  auto request = read_request(row, id.id, defaults_);
  if (!request) return BadRow{std::move(id), request.error()};
  return Row{std::move(id), std::move(*request)};
}

/// Cached: most rows have the same keys.
const std::optional<std::string>& RowReader::refusal_of(const std::string& key) {
  if (refusals_.size() > kMaxKeys) refusals_.clear();
  const auto [at, fresh] = refusals_.try_emplace(key);
  if (fresh) at->second = keys_.refusal_of(key);
  return at->second;
}

std::vector<std::string> RowReader::take_unknown_keys() { return std::exchange(new_unknowns_, {}); }

BadRow row_without_id(std::size_t line_number, const std::string& why) {
  return {{line_number, RowForm::kPlain, line_number, true}, {ErrorCode::kInvalidArgument, why}};
}

}  // namespace tools
