// The context of a chat template: the variables that it reads, as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "partita/request.hpp"
#include "tokenizer/jinja/chat_template.h"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"
#include "weights/json/document.h"

namespace partita::internal {

/// Reads a context, with capacity for complete_context(). Errors: kInvalidArgument if the text is no JSON
/// object; kOutOfMemory.
Result<OrderedJsonDocument> parse_context(std::string_view text);

/// The context of a chat, with the same capacity. With continue_final_message a mark stands behind the text
/// of the last message. Errors: kInvalidArgument for variables or fields of a message that are no JSON
/// object, or that set what is not theirs, and for a last message without text that is to be continued;
/// kOutOfMemory.
Result<OrderedJsonDocument> context_of(std::span<const Message> messages, const ChatOptions& options);

/// Cuts a rendered chat at that mark, as transformers does: where the template trims the text, without the
/// white space before the mark. Error: kInvalidArgument if the mark is not there.
Result<void> end_in_message(std::vector<ChatTemplate::Piece>& pieces);

/// Adds the variables that templates expect beside the messages, where the caller gave none. tokenizer: null
/// if the file's is not supported.
void complete_context(const Gguf& file, const Tokenizer* tokenizer, nlohmann::ordered_json& context);

}  // namespace partita::internal
