#include "tools/batch_row.h"

#include <limits>

#include "tools/sampling.h"

namespace tools {
namespace {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

/// Options of `generate` that batches have not: a row that relies on one must not run without it.
constexpr const char* kRefusedKeys[] = {
    "beams",  "length_penalty", "early_stopping", "beam_groups", "diversity_penalty",
    "n_best", "best_of",        "penalty_alpha",  "explain",     "explain_top",
    "with",   "weight",         "ensemble"};

/// Typed look-ups in one row; the first thing of a wrong type is kept and named.
class Fields {
 public:
  explicit Fields(const Json& row) : row_(row) {}

  const Json* find(const char* key) {
    const auto at = row_.find(key);
    return at == row_.end() || at->is_null() ? nullptr : &*at;
  }
  void text(const char* key, std::string& out) {
    if (const Json* value = find(key))
      value->is_string() ? void(out = value->get<std::string>()) : refuse(key, "a string");
  }
  void flag(const char* key, bool& out) {
    if (const Json* value = find(key))
      value->is_boolean() ? void(out = value->get<bool>()) : refuse(key, "true or false");
  }
  void real(const char* key, float& out) {
    if (const Json* value = find(key))
      value->is_number() ? void(out = value->get<float>()) : refuse(key, "a number");
  }
  void integer(const char* key, int& out, int least) {
    const Json* value = find(key);
    if (value == nullptr) return;
    const bool huge =
        value->is_number_unsigned() &&
        value->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<int>::max());
    const bool fits = !huge && value->is_number_integer() && value->get<std::int64_t>() >= least &&
                      value->get<std::int64_t>() <= std::numeric_limits<int>::max();
    fits ? void(out = value->get<int>()) : refuse(key, "an integer, at least " + std::to_string(least));
  }
  void seed(const char* key, std::uint64_t& out) {
    const Json* value = find(key);
    if (value == nullptr) return;
    value->is_number_unsigned() ? void(out = value->get<std::uint64_t>())
                                : refuse(key, "an integer, at least 0");
  }
  /// A string or an array of strings.
  void texts(const char* key, std::vector<std::string>& out) {
    const Json* value = find(key);
    if (value == nullptr) return;
    auto texts = texts_of(*value);
    texts ? void(out = std::move(*texts)) : refuse(key, "a string or an array of strings");
  }
  /// Takes the place of all that the command line says about samplers.
  void preset(partita::Sampling& out) {
    std::string name;
    text("preset", name);
    if (find("preset") == nullptr || !problem_.empty()) return;
    auto named = partita::preset(name);
    if (!named) return void(problem_ = named.error().message);
    named->seed = out.seed;
    out = std::move(*named);
  }
  /// An option of a sampler; what is beyond its limits shows when the request is made.
  void option(const partita::SamplingOption& option, partita::Sampling& out) {
    const std::string key(option.name);
    const Json* value = find(key.c_str());
    if (value == nullptr) return;
    auto read = sampling_value(option.kind, *value);
    if (!read) return refuse(key.c_str(), read.error().message);
    if (auto set = out.set(key, std::move(*read)); !set && problem_.empty()) problem_ = set.error().message;
  }
  void ids(const char* key, std::vector<partita::TokenId>& out) {
    const Json* value = find(key);
    if (value == nullptr) return;
    const auto is_id = [](const Json& v) {
      return v.is_number_integer() && v.get<std::int64_t>() >= std::numeric_limits<partita::TokenId>::min() &&
             v.get<std::int64_t>() <= std::numeric_limits<partita::TokenId>::max();
    };
    if (!value->is_array() || !std::all_of(value->begin(), value->end(), is_id)) {
      return refuse(key, "an array of token ids");
    }
    out = value->get<std::vector<partita::TokenId>>();
  }
  void messages(const char* key, std::vector<partita::Message>& out) {
    const Json* value = find(key);
    if (value == nullptr) return;
    const auto is_message = [](const Json& m) {
      return m.is_object() && m.contains("role") && m["role"].is_string() && m.contains("content") &&
             m["content"].is_string();
    };
    if (!value->is_array() || value->empty() || !std::all_of(value->begin(), value->end(), is_message)) {
      return refuse(key, "an array of {\"role\", \"content\"}, both strings");
    }
    for (const Json& m : *value)
      out.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
  }

  void refuse(const char* key, const std::string& wanted) {
    if (!problem_.empty()) return;
    problem_ =
        "\"" + std::string(key) + "\" is " + json_text(row_.at(key)).substr(0, 60) + "; it must be " + wanted;
  }
  const std::string& problem() const { return problem_; }

 private:
  const Json& row_;
  std::string problem_;
};

/// A number for a row's draws that depends on its id alone: FNV-1a.
std::uint64_t draw_number(const Json& id) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : json_text(id)) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

Result<partita::Request> read_request(const Json& row, const Json& id, const RowDefaults& defaults) {
  Fields fields(row);
  partita::Request request;
  request.sampling = defaults.sampling;
  request.stop = defaults.stop;
  request.guidance_scale = defaults.guidance_scale;
  request.negative_prompt = defaults.negative_prompt;
  request.max_tokens = defaults.max_tokens;
  request.logprobs = defaults.logprobs;
  request.abstain = defaults.abstain;
  request.confidence = defaults.confidence;
  bool mark_unsure = !defaults.abstain.stops;
  bool chat = defaults.chat, greedy = false, no_special = !defaults.parse_specials;
  std::string system = defaults.system;

  fields.text("prompt", request.prompt);
  fields.messages("messages", request.messages);
  fields.ids("ids", request.ids);
  fields.integer("n", request.max_tokens, -1);
  fields.integer("max_tokens", request.max_tokens, -1);
  fields.integer("logprobs", request.logprobs, 0);
  fields.preset(request.sampling);
  for_each_option([&](const partita::SamplingOption& option) { fields.option(option, request.sampling); });
  fields.texts("samplers", request.sampling.samplers);
  fields.texts("stop", request.stop);
  fields.real("abstain_probability", request.abstain.min_probability);
  fields.real("abstain_margin", request.abstain.min_margin);
  fields.real("abstain_entropy", request.abstain.max_entropy);
  fields.flag("mark_unsure", mark_unsure);
  fields.flag("confidence", request.confidence);
  fields.real("guidance_scale", request.guidance_scale);
  fields.text("negative_prompt", request.negative_prompt);
  fields.flag("greedy", greedy);
  fields.flag("chat", chat);
  fields.flag("no_special", no_special);
  fields.text("system", system);
  // A seed of its own makes a row the same as `generate --seed`; without one, rows draw independently of each
  // other.
  if (fields.find("seed") != nullptr) {
    fields.seed("seed", request.sampling.seed);
  } else {
    request.sampling.sequence = draw_number(id);
  }
  if (!fields.problem().empty()) return Error{ErrorCode::kInvalidArgument, fields.problem()};

  if (greedy && row.contains("temperature")) {
    return Error{ErrorCode::kInvalidArgument,
                 "\"greedy\" is temperature 0; a row with it has no \"temperature\""};
  }
  if (greedy) request.sampling.temperature = 0;
  request.abstain.stops = !mark_unsure;
  request.parse_specials = !no_special;
  const int sources = int{row.contains("prompt")} + int{row.contains("messages")} + int{row.contains("ids")};
  if (sources != 1) {
    return Error{
        ErrorCode::kInvalidArgument,
        "a row has one of \"prompt\", \"messages\" and \"ids\"; this one has " + std::to_string(sources)};
  }
  if (chat && row.contains("prompt")) {
    if (!system.empty()) request.messages.push_back({"system", system});
    request.messages.push_back({"user", std::exchange(request.prompt, {})});
  }
  return request;
}

std::set<std::string> known_keys() {
  std::set<std::string> known = {"id",
                                 "prompt",
                                 "messages",
                                 "ids",
                                 "n",
                                 "max_tokens",
                                 "logprobs",
                                 "seed",
                                 "samplers",
                                 "preset",
                                 "stop",
                                 "greedy",
                                 "chat",
                                 "no_special",
                                 "system",
                                 "abstain_probability",
                                 "abstain_margin",
                                 "abstain_entropy",
                                 "mark_unsure",
                                 "confidence",
                                 "guidance_scale",
                                 "negative_prompt"};
  for_each_option([&](const partita::SamplingOption& option) { known.emplace(option.name); });
  return known;
}

}  // namespace

RowReader::RowReader(RowDefaults defaults) : defaults_(std::move(defaults)), known_(known_keys()) {}

std::variant<Row, BadRow> RowReader::read(const std::string& line, std::size_t line_number) {
  const Json row = Json::parse(line, nullptr, false);
  if (row.is_discarded())
    return BadRow{line_number, "line " + std::to_string(line_number) + " is not valid JSON"};
  if (!row.is_object())
    return BadRow{line_number, "line " + std::to_string(line_number) + " is not a JSON object"};
  Json id = row.contains("id") ? row["id"] : Json(line_number);
  if (!id.is_string() && !id.is_number_integer()) {
    return BadRow{line_number,
                  "the id of line " + std::to_string(line_number) + " is neither a string nor an integer"};
  }
  for (const char* key : kRefusedKeys) {
    if (row.contains(key)) return BadRow{id, "\"" + std::string(key) + "\" is for generate, not for batches"};
  }
  for (const auto& [key, value] : row.items()) {
    if (!known_.contains(key) && known_unknowns_.insert(key).second) fresh_unknowns_.push_back(key);
  }
  auto request = read_request(row, id, defaults_);
  if (!request) return BadRow{std::move(id), request.error().message};
  return Row{std::move(id), std::move(*request)};
}

std::vector<std::string> RowReader::take_unknown_keys() { return std::exchange(fresh_unknowns_, {}); }

Json answer_row(const Json& id, const RowAnswer& answer) {
  Json out = {{"id", id},
              {"text", answer.text},
              {"ids", answer.ids},
              {"finish", name(answer.finish)},
              {"error", nullptr}};
  if (answer.logprobs.is_array()) out["logprobs"] = answer.logprobs;
  if (answer.confidence.is_array()) out["confidence"] = answer.confidence;
  return out;
}

Json error_row(const Json& id, const std::string& error) { return {{"id", id}, {"error", error}}; }

}  // namespace tools
