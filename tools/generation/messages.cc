#include "tools/generation/messages.h"

#include <algorithm>
#include <partita/json.hpp>
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

std::string problem_of_tools(const Json& tools) {
  const auto has_name = [](const Json& one) { return one.contains("name") && one["name"].is_string(); };
  const auto is_tool = [&](const Json& one) {
    if (!one.is_object()) return false;
    return has_name(one) ||
           (one.contains("function") && one["function"].is_object() && has_name(one["function"]));
  };
  if (tools.is_array() && std::all_of(tools.begin(), tools.end(), is_tool)) return {};
  return "an array of {\"type\":\"function\",\"function\":{\"name\",\"description\",\"parameters\"}}";
}

namespace {

Result<Json> read_tools(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  if (auto checked = partita::check_json(*text, "the file of --tools"); !checked) return checked.error();
  Json tools = parse_ordered_json(*text);
  if (const std::string problem = problem_of_tools(tools); !problem.empty())
    return wrong("the file of --tools holds " + json_text(tools).substr(0, 60) + "; it must be " + problem);
  return tools;
}

}  // namespace

Result<std::string> TemplateFlags::variables() const {
  if (arguments.empty() && tools.empty()) return std::string();
  Json variables = Json::object();
  if (!tools.empty()) {
    auto read = read_tools(tools);
    if (!read) return read.error();
    variables["tools"] = std::move(*read);
  }
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

Option add_chat_template_option(Command command, Common& common) {
  return command
      .add_option("--chat-template", common.chat_template,
                  "a Jinja file, one of the model's, or a built-in one: chatml ...")
      .value_name("FILE-or-NAME");
}

void add_template_options(Command command, Common& common, TemplateFlags& flags, std::optional<Option> chat) {
  const Option options[] = {
      add_chat_template_option(command, common),
      command
          .add_option("--template-arg", flags.arguments, "a variable of the template: enable_thinking=false")
          .value_name("NAME=JSON")
          .repeatable(),
      command.add_option("--tools", flags.tools, "JSON list of functions, for the template to show")
          .value_name("FILE")};
  if (!chat) return;
  for (const Option& option : options) option.needs(*chat);
}

namespace {

/// Whether the prompt of a question is the same with the tools and without them.
bool ignores_tools(const partita::Model& model, const partita::ChatOptions& chat) {
  const partita::Message question{"user", "Hi"};
  Json variables = parse_ordered_json(chat.variables);
  variables.erase("tools");
  partita::ChatOptions without = chat;
  without.variables = json_text(variables);
  const auto with_tools = model.tokenize_chat({&question, 1}, chat, &interrupted());
  const auto plain = model.tokenize_chat({&question, 1}, without, &interrupted());
  return with_tools && plain && *with_tools == *plain;
}

void report_built_in_template(const Common& common, const std::string& name) {
  if (common.quiet || !common.chat_template.empty() || name.empty() || name == "own") return;
  std::fprintf(
      stderr,
      "partita: the model has no chat template; its control tokens are those of the built-in one \"%s\", "
      "which is used (--chat-template names another)\n",
      name.c_str());
}

}  // namespace

void report_template(const Common& common, const partita::Model& model, const partita::ChatOptions& chat) {
  report_built_in_template(common, model.info().chat_template);
  const bool tools = chat.variables.find("\"tools\"") != std::string::npos;
  if (tools && !common.quiet && ignores_tools(model, chat))
    std::fprintf(stderr,
                 "partita: the chat template does not show tools, so the model is not told of them\n");
}

}  // namespace tools
