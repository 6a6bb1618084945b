// Typed access to the keys of a batch row.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tools/common.h"
#include "tools/generation/adapters.h"
#include "tools/generation/messages.h"
#include "tools/generation/sampling.h"

namespace tools {

/// Reads fields with type checks; keeps the first error.
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
                                : refuse(key, "an integer from 0 to 18446744073709551615");
  }
  /// A string or an array of strings.
  void texts(const char* key, std::vector<std::string>& out) {
    const Json* value = find(key);
    if (value == nullptr) return;
    auto texts = texts_of(*value);
    texts ? void(out = std::move(*texts)) : refuse(key, "a string or an array of strings");
  }
  /// Replaces all sampling options of the command line.
  void preset(partita::Sampling& out) {
    std::string name;
    text("preset", name);
    if (find("preset") == nullptr || !problem_.empty()) return;
    auto named = named_preset(name);
    if (!named) return void(problem_ = named.error().message);
    named->seed = out.seed;
    out = std::move(*named);
  }
  void samplers(partita::Sampling& out) {
    texts("samplers", out.samplers);
    if (find("samplers") == nullptr || !problem_.empty()) return;
    if (auto known = check_names(out); !known) problem_ = known.error().message;
  }
  /// An option of a sampler; its limits are checked when the request is made.
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
    if (!value->is_array() || value->empty()) return refuse(key, "an array of messages");
    for (const Json& json : *value) {
      auto message = message_of(json);
      if (!message) return void(problem_ = problem_.empty() ? message.error().message : problem_);
      out.push_back(std::move(*message));
    }
  }
  /// "tools", "documents" and "chat_template_kwargs", which become variables of the template.
  void template_variables(partita::ChatOptions& out) {
    Json variables = out.variables.empty() ? Json::object() : parse_ordered_json(out.variables);
    if (const Json* kwargs = find("chat_template_kwargs")) {
      if (!kwargs->is_object()) return refuse("chat_template_kwargs", "an object");
      variables.update(*kwargs);
    }
    for (const char* key : {"tools", "documents"}) {
      const Json* value = find(key);
      if (value == nullptr) continue;
      if (!value->is_array()) return refuse(key, "an array");
      const std::string problem = std::string(key) == "tools" ? problem_of_tools(*value) : "";
      if (!problem.empty()) return refuse(key, problem);
      if (value->empty()) {
        variables.erase(key);
        continue;
      }
      variables[key] = *value;
    }
    if (!variables.empty()) out.variables = json_text(variables);
    flag("continue_final_message", out.continue_final_message);
  }

  /// An array of {"name" or "path", "scale"}, which chooses among the adapters of the command line. Nothing
  /// that a row names is opened.
  void adapters(const char* key, const std::vector<partita::AppliedAdapter>& loaded,
                std::vector<partita::AppliedAdapter>& out) {
    constexpr const char* kWanted = "an array of {\"name\" or \"path\", \"scale\"}";
    const Json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_array()) return refuse(key, kWanted);
    out.clear();
    for (const Json& one : *value) {
      auto chosen = chosen_adapter(one, loaded);
      if (!chosen) return refuse(key, std::string(kWanted) + chosen.error().message);
      out.push_back(*std::move(chosen));
    }
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

}  // namespace tools
