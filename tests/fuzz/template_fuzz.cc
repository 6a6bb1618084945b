// Fuzz target: any bytes as a chat template, rendered with a conversation: an error or a text, and never
// anything else.
//
//     cmake --preset fuzz && cmake --build --preset fuzz
//     build/fuzz/template_fuzz -max_len=4096 CORPUS tests/data/template
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tokenizer/chat_template.h"

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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const auto parsed = partita::ChatTemplate::parse(source);
  if (!parsed) return 0;
  const auto text = parsed->render(conversation());
  const auto pieces = parsed->render_pieces(conversation());
  if (text.ok() != pieces.ok()) std::abort();
  if (!text) return 0;
  std::string joined;
  for (const auto& piece : *pieces) joined += piece.text;
  if (joined != *text) std::abort();
  return 0;
}
