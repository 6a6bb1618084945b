// Values to text: Python's str() and repr(), and json.dumps() as transformers' tojson calls it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// Python's repr of a float: the shortest digits that read back as the same number.
std::string float_repr(double value);

/// str(value): the text itself, "" when undefined, repr() otherwise.
Text to_text(Runtime& runtime, const Value& value);
/// repr(value); from a message as a whole if any part is.
Text repr(Runtime& runtime, const Value& value);

/// repr() with escapes for all characters outside ASCII.
Text ascii_repr(Runtime& runtime, const Value& value);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // one level's indentation; absent: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
/// json.dumps(value); from a message as a whole if any part is.
Text to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace partita::internal::jinja
