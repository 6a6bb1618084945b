#include "tools/generation/messages.h"

#include <utility>

namespace tools {
namespace {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

Error wrong(const std::string& what) { return {ErrorCode::kInvalidArgument, what}; }

Result<std::string> text_of_parts(const Json& parts) {
  std::string text;
  for (const Json& part : parts) {
    if (part.is_object() && part.contains("type") && part["type"].is_string() && part["type"] != "text") {
      return Error{ErrorCode::kUnsupported, "the \"content\" of a message has a part of type " +
                                                json_text(part["type"]).substr(0, 60) +
                                                "; messages are text alone: leave it out"};
    }
    if (!part.is_object() || !part.contains("text") || !part["text"].is_string()) {
      return wrong("\"content\" is " + json_text(part).substr(0, 60) +
                   "; it must be text, or parts {\"type\":\"text\",\"text\"}");
    }
    text += part["text"].get<std::string>();
  }
  return text;
}

}  // namespace

Result<partita::Message> message_of(const Json& json) {
  if (!json.is_object() || !json.contains("role") || !json["role"].is_string()) {
    return wrong("a message is " + json_text(json).substr(0, 60) + "; it must be {\"role\", \"content\"}");
  }
  partita::Message message{json["role"].get<std::string>(), {}};
  Json fields = Json::object();
  for (const auto& [key, value] : json.items()) {
    if (key != "role" && key != "content") fields[key] = value;
  }
  const Json content = json.value("content", Json(nullptr));
  if (content.is_string()) {
    message.content = content.get<std::string>();
  } else if (content.is_array()) {
    auto text = text_of_parts(content);
    if (!text) return text.error();
    message.content = std::move(*text);
  } else if (content.is_null() && !fields.empty()) {
    fields["content"] = nullptr;
  } else {
    return wrong("the \"content\" of a message is " + json_text(content).substr(0, 60) +
                 "; it must be text, or parts {\"type\":\"text\",\"text\"}");
  }
  if (!fields.empty()) message.fields = json_text(fields);
  return message;
}

Result<std::string> TemplateFlags::variables() const {
  if (arguments.empty()) return std::string();
  Json variables = Json::object();
  for (const std::string& argument : arguments) {
    const std::size_t equals = argument.find('=');
    const Json value = equals == std::string::npos ? Json(Json::value_t::discarded)
                                                   : parse_ordered_json(argument.substr(equals + 1));
    if (equals == 0 || value.is_discarded()) {
      return wrong("--template-arg is '" + argument.substr(0, 60) +
                   "'; it must be NAME=JSON, such as enable_thinking=false or 'city=\"Rome\"'");
    }
    variables[argument.substr(0, equals)] = value;
  }
  return json_text(variables);
}

void add_template_options(Command command, Common& common, TemplateFlags& flags) {
  command
      .add_option("--chat-template", common.chat_template,
                  "a Jinja file, or a built-in one: chatml, llama3 ...")
      .value_name("FILE-or-NAME");
  command.add_option("--template-arg", flags.arguments, "a variable of the template: enable_thinking=false")
      .value_name("NAME=JSON")
      .repeatable();
}

void report_built_in_template(const Common& common, const partita::Model& model) {
  const std::string& name = model.info().chat_template;
  if (common.quiet || !common.chat_template.empty() || name.empty() || name == "own") return;
  std::fprintf(
      stderr,
      "partita: the model has no chat template; its control tokens are those of the built-in one \"%s\", "
      "which is used (--chat-template names another)\n",
      name.c_str());
}

}  // namespace tools
