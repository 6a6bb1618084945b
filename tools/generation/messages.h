// Messages of chats and the variables of chat templates, from JSON.
#pragma once

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

  /// The template's variables. Error: kInvalidArgument naming the option.
  partita::Result<std::string> variables() const;
};
/// Adds --template-arg and --chat-template.
void add_template_options(Command command, Common& common, TemplateFlags& flags);

/// Says once which built-in template is used for a model that has none.
void report_built_in_template(const Common& common, const partita::Model& model);

}  // namespace tools
