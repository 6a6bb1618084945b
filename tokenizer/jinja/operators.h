// The operators of template expressions, with Python's meaning.
#pragma once

#include <cstdint>
#include <optional>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

enum class BinaryOperator : std::uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower
};

/// Integers past int64 are kUnsupported; Python has no limit.
Value binary(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b);
Value negate(Runtime& runtime, const Value& value);
Value unary_plus(Runtime& runtime, const Value& value);

/// len(value); nullopt if it has none.
std::optional<std::int64_t> length_of(const Value& value);

/// object[key]; nullopt if there is no such item.
std::optional<Value> find_item(Runtime& runtime, const Value& object, const Value& key);

/// object[start:stop:step]; an absent bound is None.
Value slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step);

}  // namespace partita::internal::jinja
