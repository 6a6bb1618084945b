// Which chat template a model uses: the caller's, its file's own, or a built-in one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "partita/result.hpp"
#include "tokenizer/jinja/chat_template.h"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

struct ChatTemplates {
  std::optional<ChatTemplate> plain;
  std::optional<ChatTemplate> with_tools;  // the file's "tool_use", for conversations with tools
  std::string origin;                      // of ModelInfo::chat_template
  Error error;                             // why there is no `plain`

  /// The template for a context. Precondition: there is one.
  const ChatTemplate& of(const nlohmann::ordered_json& context) const;
};

/// chosen: OpenOptions::chat_template. tokenizer: null if the file's is not supported. Errors:
/// kInvalidArgument for a name that neither a built-in template nor one of the file has; those of
/// ChatTemplate::parse() for a source that the caller gave. A file's own template that is missing or broken
/// is no error until it is needed.
Result<ChatTemplates> load_chat_templates(const Gguf& file, const Tokenizer* tokenizer,
                                          std::string_view chosen, std::string_view path);

}  // namespace partita::internal
