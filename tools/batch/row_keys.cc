#include "tools/batch/row_keys.h"

#include <algorithm>
#include <utility>

#include "tools/cli/nearest.h"
#include "tools/generation/sampling.h"

namespace tools {
namespace {

constexpr const char* kOwn[] = {"id",
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
                                "tools",
                                "documents",
                                "chat_template_kwargs",
                                "continue_final_message",
                                "abstain_probability",
                                "abstain_margin",
                                "abstain_entropy",
                                "mark_unsure",
                                "confidence",
                                "guidance_scale",
                                "negative_prompt",
                                "lora",
                                "metadata"};  // does not affect the answer

/// Options of other programs, and of whole jobs here, that would change an answer; each with the row key of
/// the nearest meaning, if there is one.
constexpr std::pair<const char*, const char*> kForeign[] = {{"arithmetic", ""},
                                                            {"attention_sinks", ""},
                                                            {"attention_window", ""},
                                                            {"bad_words", "banned_strings"},
                                                            {"cache", ""},
                                                            {"calibration", ""},
                                                            {"chat_template", ""},
                                                            {"choice", ""},
                                                            {"do_sample", "greedy"},
                                                            {"entmax", ""},
                                                            {"exact", ""},
                                                            {"function_call", ""},
                                                            {"functions", ""},
                                                            {"grammar", ""},
                                                            {"guided_choice", ""},
                                                            {"guided_grammar", ""},
                                                            {"guided_json", ""},
                                                            {"guided_regex", ""},
                                                            {"head", ""},
                                                            {"head_budget", ""},
                                                            {"ignore_eos", "min_tokens"},
                                                            {"json_object", ""},
                                                            {"json_schema", ""},
                                                            {"lora_request", "lora"},
                                                            {"loras", "lora"},
                                                            {"max_completion_tokens", "max_tokens"},
                                                            {"max_length", "max_tokens"},
                                                            {"max_new_tokens", "max_tokens"},
                                                            {"min_length", "min_tokens"},
                                                            {"min_new_tokens", "min_tokens"},
                                                            {"n_predict", "max_tokens"},
                                                            {"num_beams", ""},
                                                            {"num_predict", "max_tokens"},
                                                            {"num_return_sequences", ""},
                                                            {"reasoning", ""},
                                                            {"reasoning_budget", ""},
                                                            {"reasoning_effort", ""},
                                                            {"regex", ""},
                                                            {"repetition_penalty", "repeat_penalty"},
                                                            {"response_format", ""},
                                                            {"sparsemax", ""},
                                                            {"stop_sequences", "stop"},
                                                            {"stop_strings", "stop"},
                                                            {"stop_token_ids", "stop"},
                                                            {"stream", ""},
                                                            {"structured_outputs", ""},
                                                            {"system_prompt", "system"},
                                                            {"temp", "temperature"},
                                                            {"tfs_z", ""},
                                                            {"tool_choice", ""},
                                                            {"top_a", "min_p"},
                                                            {"top_logprobs", "logprobs"},
                                                            {"typical", "typical_p"}};

/// The largest number of edits at which a key counts as a mistyped name. Few for short ones: user data has
/// short keys too, such as "idx" beside "ids".
std::size_t max_edits(std::size_t length) { return length < 5 ? 0 : length < 8 ? 1 : 2; }

}  // namespace

RowKeys::RowKeys() : names_(std::begin(kOwn), std::end(kOwn)) {
  for_each_option([&](const partita::SamplingOption& option) { names_.emplace_back(option.name); });
  std::sort(names_.begin(), names_.end());
}

bool RowKeys::known(const std::string& key) const {
  return std::binary_search(names_.begin(), names_.end(), key);
}

std::optional<std::string> RowKeys::refusal_of(const std::string& key) const {
  const auto sentence = [&](const std::string& meant) {
    return json_text(Json(key)) + " is not an option of a row" +
           (meant.empty() ? "" : " (did you mean \"" + meant + "\"?)") +
           "; with --ignore-unknown such keys are ignored";
  };
  const auto foreign = std::find_if(std::begin(kForeign), std::end(kForeign),
                                    [&](const auto& option) { return key == option.first; });
  if (foreign != std::end(kForeign)) return sentence(foreign->second);
  const auto near = nearest(key, names_);
  const std::size_t length = near ? std::min(key.size(), near->name.size()) : 0;
  if (!near || near->edits > max_edits(length) || length < 3) return std::nullopt;
  return sentence(near->name);
}

bool is_empty_value(const Json& value) { return value.is_null() || (value.is_structured() && value.empty()); }

}  // namespace tools
