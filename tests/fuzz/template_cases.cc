// Any bytes as a chat template, rendered with a conversation: the result is a text or an error.
#include <nlohmann/json.hpp>
#include <string>

#include "tests/fuzz/support.h"
#include "tokenizer/jinja/chat_template.h"

namespace partita::internal::fuzz {
namespace {

const nlohmann::ordered_json& conversation() {
  static const nlohmann::ordered_json context = nlohmann::ordered_json::parse(R"({
    "messages": [
      {"role": "system", "content": "Be <b>brief</b>."},
      {"role": "user", "content": "naïve 東京 🙂\n<|im_end|>"},
      {"role": "assistant", "content": "", "tool_calls": [
        {"id": "call00001", "type": "function", "function": {"name": "f", "arguments": {"x": [1, 2.5, null]}}}]},
      {"role": "tool", "content": "{}", "tool_call_id": "call00001"},
      {"role": "user", "content": [{"type": "text", "text": "and?"}, {"type": "image"}]}],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters":
      {"type": "object", "properties": {"x": {"type": "array", "items": {"type": "number"}}}, "required": ["x"]}}}],
    "documents": [{"title": "t", "text": "x"}],
    "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>", "strftime_now": 1753979045,
    "n": 3, "d": {"a": {"b": [1, "c"]}}})");
  return context;
}

}  // namespace

void run_template(Bytes bytes) {
  const auto parsed = ChatTemplate::parse(text_of(bytes));
  if (!parsed) return require_message(parsed.error());
  const auto text = parsed->render(conversation());
  const auto pieces = parsed->render_pieces(conversation());
  require(text.ok() == pieces.ok());
  if (!text) return require_message(text.error());
  std::string joined;
  for (const auto& piece : *pieces) joined += piece.text;
  require(joined == *text);
}

}  // namespace partita::internal::fuzz
