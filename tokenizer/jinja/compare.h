// The comparisons of template expressions, with Python's meaning.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

enum class Comparison : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn
};

bool equal(Runtime& runtime, const Value& a, const Value& b);
bool less(Runtime& runtime, const Value& a, const Value& b);
bool contains(Runtime& runtime, const Value& container, const Value& item);
bool compare(Runtime& runtime, Comparison op, const Value& a, const Value& b);

/// Lexicographic comparison; used to sort by several attributes.
bool items_less(Runtime& runtime, const std::vector<Value>& a, const std::vector<Value>& b);

}  // namespace partita::internal::jinja
