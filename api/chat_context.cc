#include "api/chat_context.h"

#include <optional>
#include <string>
#include <utility>

#include "weights/json/reader.h"

namespace partita::internal {
namespace {

using Json = nlohmann::ordered_json;

/// The most keys that complete_context() adds; callers reserve them.
constexpr std::size_t kCompletedKeys = 4;

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

}  // namespace

void complete_context(const Gguf& file, const Tokenizer* tokenizer, Json& context) {
  const auto spell = [&](const char* name, std::optional<TokenId> SpecialIds::*id, std::string_view key) {
    if (context.contains(name)) return;
    if (auto text = spelling_of(file, tokenizer, id, key)) context[name] = *std::move(text);
  };
  spell("bos_token", &SpecialIds::bos, "tokenizer.ggml.bos_token_id");
  spell("eos_token", &SpecialIds::eos, "tokenizer.ggml.eos_token_id");
  if (!context.contains("tools")) context["tools"] = nullptr;
  if (!context.contains("add_generation_prompt")) context["add_generation_prompt"] = false;
}

Result<OrderedJsonDocument> parse_context(std::string_view text) {
  auto read = read_ordered_json(text, "the template's context", JsonLimits());
  if (!read && read.error().code == ErrorCode::kOutOfMemory) return read.error();
  if (!read) return Error{ErrorCode::kInvalidArgument, read.error().message};
  OrderedJsonDocument context(std::move(*read));
  if (!context.is_object()) {
    return Error{ErrorCode::kInvalidArgument,
                 "the template's context is JSON, but not an object with \"messages\""};
  }
  return with_capacity(std::move(context), kCompletedKeys);
}

OrderedJsonDocument context_of(std::span<const Message> messages, bool add_generation_prompt) {
  OrderedJsonDocument context{Json::object()};
  reserve_keys(context, 2 + kCompletedKeys);
  context["add_generation_prompt"] = add_generation_prompt;
  Json& list = context["messages"] = Json::array();
  for (const Message& message : messages) {
    Json& fields = list.emplace_back(Json::object());
    fields["role"] = message.role;
    fields["content"] = message.content;
  }
  return context;
}

}  // namespace partita::internal
