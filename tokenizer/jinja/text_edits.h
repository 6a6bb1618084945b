// Edits of text that filters and methods share. Each counts its work.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// text.strip(chars) at one end or both; null `chars`: white space.
Value strip_text(Runtime& runtime, const Text& text, const Text* chars, bool left, bool right);

/// text.replace(from, to), at most `limit` times unless negative.
Value replace_text(Runtime& runtime, const Text& text, const Text& from, const Text& to, std::int64_t limit);

/// glue.join(parts)
Value join_texts(Runtime& runtime, const Text& glue, const std::vector<Text>& parts);

}  // namespace partita::internal::jinja
