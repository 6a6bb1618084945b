// Helpers of the template tests: records, and rendering in one call.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "partita/result.hpp"
#include "tokenizer/jinja/chat_template.h"

namespace partita::internal::test {

using Json = nlohmann::ordered_json;

/// A file under tests/data/template.
std::string read_data(const std::string& name);
Json read_record(const std::string& name);

/// Parses and renders; returns the error of the step that fails.
Result<std::string> render(const std::string& source, const Json& context = Json::object());
Result<std::vector<ChatTemplate::Piece>> render_pieces(const std::string& source, const Json& context);

/// {"messages": [{"role": "user", "content": content}]}
Json user_message(const Json& content);

}  // namespace partita::internal::test
