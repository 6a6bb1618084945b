#include "tokenizer/jinja/text_edits.h"

#include <string>
#include <utility>

namespace partita::internal::jinja {

Value strip_text(Runtime& runtime, const Text& text, const Text* chars, bool left, bool right) {
  if (chars != nullptr) runtime.walk(chars->size());
  const Range kept = strip_range(text.bytes(), chars == nullptr ? nullptr : &chars->bytes(), left, right);
  runtime.walk(text.size() - (kept.end - kept.begin));
  return runtime.text(text.slice(kept.begin, kept.end));
}

Value replace_text(Runtime& runtime, const Text& text, const Text& from, const Text& to, std::int64_t limit) {
  const std::string& bytes = text.bytes();
  Text out;
  std::size_t at = 0;
  for (; limit != 0; --limit) {
    runtime.step();
    const std::size_t hit = find_bytes(bytes, from.bytes(), at);
    runtime.search((hit == std::string::npos ? bytes.size() : hit) - at + from.size());
    if (hit == std::string::npos) break;
    runtime.check_text_size(out.size() + (hit - at) + to.size());
    runtime.touch(to.footprint() + (hit - at));
    out.append(text, at, hit);
    out.append(to);
    at = hit + from.size();
    if (!from.empty()) continue;
    // An empty pattern matches before every character and at the end.
    if (at == bytes.size()) break;
    const std::size_t next = at + character_at(bytes, at).length;
    out.append(text, at, next);
    at = next;
  }
  out.append(text, at, bytes.size());
  return runtime.text(std::move(out));
}

Value join_texts(Runtime& runtime, const Text& glue, const std::vector<Text>& parts) {
  Text out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    runtime.check_text_size(out.size() + glue.size() + parts[i].size());
    runtime.touch(glue.footprint() + parts[i].footprint());
    if (i > 0) out.append(glue);
    out.append(parts[i]);
  }
  return runtime.text(std::move(out));
}

}  // namespace partita::internal::jinja
