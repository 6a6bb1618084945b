// The context of a chat template: the variables that it reads, as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "partita/request.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"
#include "weights/json/document.h"

namespace partita::internal {

/// Reads a context, with capacity for complete_context(). Errors: kInvalidArgument if the text is no JSON
/// object; kOutOfMemory.
Result<OrderedJsonDocument> parse_context(std::string_view text);

/// The context of a chat, with the same capacity.
OrderedJsonDocument context_of(std::span<const Message> messages, bool add_generation_prompt);

/// Adds the variables that templates expect beside the messages, where the caller gave none. tokenizer: null
/// if the file's is not supported.
void complete_context(const Gguf& file, const Tokenizer* tokenizer, nlohmann::ordered_json& context);

}  // namespace partita::internal
