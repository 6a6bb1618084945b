#include "tokenizer/jinja/context.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace partita::internal::jinja {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kTime = "strftime_now";

// Roles occur between special tokens ("<|im_start|>user\n"). As separate pieces they would be tokenized apart
// from the text next to them. This is safe: no special token is a plain lower-case word.
bool is_plain_role(const std::string& role) {
  return !role.empty() && role.size() <= 32 &&
         std::all_of(role.begin(), role.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

class Converter {
 public:
  explicit Converter(Runtime& runtime) : runtime_(runtime) {}

  Value convert(const ordered_json& json, bool from_message, int depth) const {
    if (depth > kMaxValueDepth) {
      throw JinjaError{{ErrorCode::kInvalidArgument,
                        "the chat template's context nests deeper than " + std::to_string(kMaxValueDepth)}};
    }
    switch (json.type()) {
      case ordered_json::value_t::boolean:
        return Value(json.get<bool>());
      case ordered_json::value_t::number_integer:
        return Value(json.get<std::int64_t>());
      case ordered_json::value_t::number_unsigned:
        return Value::big(json.get<std::uint64_t>());
      case ordered_json::value_t::number_float:
        return Value(json.get<double>());
      case ordered_json::value_t::string:
        return runtime_.text(json.get_ref<const std::string&>(), from_message);
      case ordered_json::value_t::array:
        return convert_list(json, from_message, depth);
      case ordered_json::value_t::object:
        return convert_dict(json, from_message, depth, false);
      default:
        return Value(None{});
    }
  }

  Value convert_messages(const ordered_json& messages) const {
    if (!messages.is_array()) return convert(messages, true, 1);
    std::vector<Value> items;
    for (const ordered_json& message : messages) {
      items.push_back(message.is_object() ? convert_dict(message, true, 2, true) : convert(message, true, 2));
    }
    return runtime_.list(std::move(items));
  }

 private:
  Value convert_list(const ordered_json& json, bool from_message, int depth) const {
    std::vector<Value> items;
    for (const ordered_json& item : json) items.push_back(convert(item, from_message, depth + 1));
    return runtime_.list(std::move(items));
  }

  Value convert_dict(const ordered_json& json, bool from_message, int depth, bool is_message) const {
    Dict dict;
    for (const auto& [key, item] : json.items()) {
      const bool role = is_message && key == "role" && item.is_string() &&
                        is_plain_role(item.get_ref<const std::string&>());
      dict.set(runtime_.text(key, from_message), convert(item, from_message && !role, depth + 1));
    }
    return runtime_.dict(std::move(dict));
  }

  Runtime& runtime_;
};

}  // namespace

std::optional<std::int64_t> time_of(const ordered_json& context) {
  const auto it = context.find(std::string(kTime));
  if (it == context.end() || !it->is_number_integer()) return std::nullopt;
  return it->get<std::int64_t>();
}

ScopePtr variables_of(Runtime& runtime, const ordered_json& context) {
  const Converter converter(runtime);
  auto scope = std::make_shared<Scope>();
  for (const auto& element : context.items()) {
    const std::string& name = element.key();
    if (name == kTime) continue;
    scope->variables[name] = name == "messages"
                                 ? converter.convert_messages(element.value())
                                 : converter.convert(element.value(), !name.ends_with("_token"), 1);
  }
  return scope;
}

}  // namespace partita::internal::jinja
