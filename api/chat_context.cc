#include "api/chat_context.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "weights/json/reader.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Json = nlohmann::ordered_json;

/// The most keys that complete_context() adds; callers reserve them.
constexpr std::size_t kCompletedKeys = 6;

/// Stands behind the text that an answer continues, so that it is found in what the template makes of it.
constexpr std::string_view kContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";

/// The fields under which templates read the reasoning of an answer.
constexpr std::array<const char*, 3> kReasoning = {"reasoning_content", "thinking", "reasoning"};

/// How a special token is spelled, by the tokenizer or, where there is none, by the file alone.
std::optional<std::string> spelling_of(const Gguf& file, const Tokenizer* tokenizer,
                                       std::optional<TokenId> SpecialIds::*id, std::string_view key) {
  if (tokenizer != nullptr) {
    const auto& known = tokenizer->specials().*id;
    return known ? std::optional(std::string(tokenizer->spelling(*known))) : std::nullopt;
  }
  const auto number = file.get_uint(key);
  const auto tokens = file.get_array("tokenizer.ggml.tokens");
  if (!number || !tokens || *number >= (*tokens)->size()) return std::nullopt;
  const auto text = (*tokens)->string_at(static_cast<std::size_t>(*number));
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

/// The JSON object in `text`; `what` names it in errors.
Result<OrderedJsonDocument> object_of(std::string_view text, const std::string& what) {
  auto read = read_ordered_json(text, what, JsonLimits());
  if (!read && read.error().code == ErrorCode::kOutOfMemory) return read.error();
  if (!read) return Error{ErrorCode::kInvalidArgument, read.error().message};
  if (!read->is_object()) return invalid(what, " is JSON, but not an object");
  return std::move(*read);
}

/// Special tokens are the vocabulary's: what a caller passes on must not become one.
Result<void> check_variables(const Json& variables) {
  for (const auto& [name, value] : variables.items()) {
    if (name == "messages" || name == "add_generation_prompt" || name.ends_with("_token")) {
      return invalid("the template's variables have \"", shortened(name), "\", which the program sets");
    }
  }
  return {};
}

/// The first reasoning that a message has; empty: none.
std::string reasoning_of(const Json& fields) {
  for (const char* name : kReasoning) {
    const auto found = fields.find(name);
    if (found != fields.end() && found->is_string()) return found->get<std::string>();
  }
  return {};
}

/// {"role","content",...}, as transformers normalizes it: fields that are null are left out, and reasoning is
/// there as "reasoning_content" and "thinking".
Result<OrderedJsonDocument> fields_of(const Message& message) {
  OrderedJsonDocument more{Json::object()};
  if (!message.fields.empty()) {
    auto read = object_of(message.fields, "the fields of a message");
    if (!read) return read.error();
    if (read->contains("role"))
      return invalid("the fields of a message have a \"role\"; it is the message's own");
    more = std::move(*read);
  }
  OrderedJsonDocument fields{Json::object()};
  reserve_keys(fields, 4 + more.size());
  const std::string reasoning = reasoning_of(more);
  if (!reasoning.empty()) fields["thinking"] = reasoning;
  fields["role"] = message.role;
  const auto content = more.find("content");
  if (content == more.end() || !content->is_null()) fields["content"] = message.content;
  for (auto& [key, value] : more.get_ref<Json::object_t&>()) {
    if (!value.is_null()) fields[key].swap(value);
  }
  if (!reasoning.empty()) fields["reasoning_content"] = reasoning;
  return fields;
}

}  // namespace

void complete_context(const Gguf& file, const Tokenizer* tokenizer, Json& context) {
  const auto spell = [&](const char* name, std::optional<TokenId> SpecialIds::*id, std::string_view key) {
    if (context.contains(name)) return;
    if (auto text = spelling_of(file, tokenizer, id, key)) context[name] = *std::move(text);
  };
  spell("bos_token", &SpecialIds::bos, "tokenizer.ggml.bos_token_id");
  spell("eos_token", &SpecialIds::eos, "tokenizer.ggml.eos_token_id");
  spell("unk_token", &SpecialIds::unknown, "tokenizer.ggml.unknown_token_id");
  spell("pad_token", &SpecialIds::pad, "tokenizer.ggml.padding_token_id");
  if (!context.contains("tools")) context["tools"] = nullptr;
  if (!context.contains("add_generation_prompt")) context["add_generation_prompt"] = false;
}

Result<OrderedJsonDocument> parse_context(std::string_view text) {
  auto context = object_of(text, "the template's context");
  if (!context) return context.error();
  return with_capacity(std::move(*context), kCompletedKeys);
}

Result<OrderedJsonDocument> context_of(std::span<const Message> messages, const ChatOptions& options) {
  OrderedJsonDocument variables{Json::object()};
  if (!options.variables.empty()) {
    auto read = object_of(options.variables, "the template's variables");
    if (!read) return read.error();
    TRY(check_variables(*read));
    variables = std::move(*read);
  }
  OrderedJsonDocument context = with_capacity(std::move(variables), 2 + kCompletedKeys);
  context["add_generation_prompt"] = options.add_generation_prompt && !options.continue_final_message;
  Json& list = context["messages"] = Json::array();
  list.get_ref<Json::array_t&>().reserve(messages.size());
  for (const Message& message : messages) {
    auto fields = fields_of(message);
    if (!fields) return fields.error();
    list.emplace_back(nullptr).swap(static_cast<Json&>(*fields));
  }
  if (options.continue_final_message) {
    if (list.empty() || !list.back().contains("content") || !list.back()["content"].is_string())
      return invalid("continue_final_message needs a last message with a text that the answer continues");
    list.back()["content"].get_ref<std::string&>() += kContinueTag;
  }
  return context;
}

Result<void> end_in_message(std::vector<ChatTemplate::Piece>& pieces) {
  std::string text;
  for (const ChatTemplate::Piece& piece : pieces) text += piece.text;
  const std::size_t at = text.rfind(kContinueTag.substr(0, kContinueTag.size() - 1));
  if (at == std::string::npos)
    return invalid("continue_final_message needs a last message whose text the chat template shows");
  std::size_t left = at;
  if (at > 0 && text.compare(at, kContinueTag.size(), kContinueTag) != 0)  // the template trims the text
    left = text.find_last_not_of(" \t\n\r\f\v", at - 1) + 1;
  for (auto piece = pieces.begin(); piece != pieces.end(); ++piece) {
    if (piece->text.size() < left) {
      left -= piece->text.size();
      continue;
    }
    piece->text.resize(left);
    pieces.erase(piece + 1, pieces.end());
    break;
  }
  return {};
}

}  // namespace partita::internal
