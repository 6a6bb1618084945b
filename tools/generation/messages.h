// Messages of chats and the variables of chat templates, from JSON.
#pragma once

#include <optional>
#include <partita/partita.hpp>
#include <string>
#include <vector>

#include "tools/common.h"

namespace tools {

/// {"role","content",...}: content is a string, parts {"type":"text","text"}, whose texts are joined, or null
/// in a message with other fields, such as "tool_calls". Errors: kInvalidArgument naming what is wrong;
/// kUnsupported for parts that are no text.
partita::Result<partita::Message> message_of(const Json& json);

/// What generate, chat and batch say about the chat template.
struct TemplateFlags {
  std::vector<std::string> arguments;  // NAME=JSON
  std::string tools;                   // a file; empty: none

  /// The template's variables. Errors: kInvalidArgument naming the option; kIo.
  partita::Result<std::string> variables() const;
};
/// Adds --chat-template, the option of a template itself.
Option add_chat_template_option(Command command, Common& common);
/// Adds --chat-template, --template-arg and --tools. chat: the option without which they have no use.
void add_template_options(Command command, Common& common, TemplateFlags& flags,
                          std::optional<Option> chat = std::nullopt);

/// What a list of tools must be, if this value is none; empty if it is one.
std::string problem_of_tools(const Json& tools);

/// Says once which built-in template is used for a model that has none, and where the template ignores tools.
void report_template(const Common& common, const partita::Model& model, const partita::ChatOptions& chat);

}  // namespace tools
