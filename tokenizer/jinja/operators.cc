#include "tokenizer/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "tokenizer/jinja/format.h"

namespace partita::internal::jinja {
namespace {

std::string_view symbol(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::kAdd:
      return "+";
    case BinaryOperator::kSubtract:
      return "-";
    case BinaryOperator::kMultiply:
      return "*";
    case BinaryOperator::kDivide:
      return "/";
    case BinaryOperator::kFloorDivide:
      return "//";
    case BinaryOperator::kModulo:
      return "%";
    case BinaryOperator::kPower:
      return "**";
  }
  return "?";
}

[[noreturn]] void overflow(const Runtime& runtime) { runtime.unsupported("an integer beyond 64 bits"); }

std::int64_t checked_multiply(const Runtime& runtime, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) overflow(runtime);
  return out;
}

// Python rounds the quotient down; C++ rounds it towards zero.
std::int64_t floor_divide(const Runtime& runtime, std::int64_t a, std::int64_t b) {
  if (a == INT64_MIN && b == -1) overflow(runtime);
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

std::int64_t floor_modulo(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;  // INT64_MIN % -1 traps
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double floor_modulo(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest == 0.0) return std::copysign(0.0, b);
  if ((rest < 0) != (b < 0)) rest += b;
  return rest;
}

double floor_divide(double a, double b) {
  const double exact = (a - floor_modulo(a, b)) / b;
  if (exact == 0.0) return std::copysign(0.0, a / b);
  const double floored = std::floor(exact);
  return exact - floored > 0.5 ? floored + 1.0 : floored;
}

Value power(const Runtime& runtime, std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) runtime.type_error("0 cannot be raised to a negative power");
    return Value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  std::int64_t result = 1;
  while (exponent > 0) {
    if (exponent & 1) result = checked_multiply(runtime, result, base);
    exponent >>= 1;
    if (exponent > 0 && base != 0 && base != 1) base = base == -1 ? 1 : checked_multiply(runtime, base, base);
  }
  return Value(result);
}

Value power(const Runtime& runtime, double base, double exponent) {
  if (base == 0.0 && exponent < 0.0) runtime.type_error("0.0 cannot be raised to a negative power");
  if (base < 0.0 && std::isfinite(base) && std::isfinite(exponent) && std::trunc(exponent) != exponent) {
    runtime.unsupported("a complex number");
  }
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) {
    runtime.type_error("the result of ** is too large for a float");
  }
  return Value(result);
}

Value integers(const Runtime& runtime, BinaryOperator op, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  switch (op) {
    case BinaryOperator::kAdd:
      if (__builtin_add_overflow(a, b, &out)) overflow(runtime);
      return Value(out);
    case BinaryOperator::kSubtract:
      if (__builtin_sub_overflow(a, b, &out)) overflow(runtime);
      return Value(out);
    case BinaryOperator::kMultiply:
      return Value(checked_multiply(runtime, a, b));
    case BinaryOperator::kPower:
      return power(runtime, a, b);
    default:
      break;
  }
  if (b == 0) runtime.type_error("division by zero");
  if (op == BinaryOperator::kFloorDivide) return Value(floor_divide(runtime, a, b));
  if (op == BinaryOperator::kModulo) return Value(floor_modulo(a, b));
  // long double holds every int64, so the quotient is rounded once more only where Python's is too.
  return Value(static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b)));
}

Value floats(const Runtime& runtime, BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::kAdd:
      return Value(a + b);
    case BinaryOperator::kSubtract:
      return Value(a - b);
    case BinaryOperator::kMultiply:
      return Value(a * b);
    case BinaryOperator::kPower:
      return power(runtime, a, b);
    default:
      break;
  }
  if (b == 0.0) runtime.type_error("float division by zero");
  if (op == BinaryOperator::kDivide) return Value(a / b);
  return Value(op == BinaryOperator::kModulo ? floor_modulo(a, b) : floor_divide(a, b));
}

Value repeat(Runtime& runtime, const Value& value, std::int64_t times) {
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  if (const Text* text = value.text()) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(text->size(), count, &bytes)) bytes = SIZE_MAX;
    runtime.check_text_size(bytes);
    runtime.touch(bytes);
    Text out;
    for (std::size_t i = 0; i < count && bytes > 0; ++i) out.append(*text);
    out.set_safe(text->safe());
    return runtime.text(std::move(out));
  }
  const Sequence& sequence = *value.sequence();
  std::size_t items = 0;
  if (__builtin_mul_overflow(sequence.items.size(), count, &items)) items = SIZE_MAX;
  runtime.check_text_size(items > kMaxTextBytes ? items : items * sizeof(Value));
  std::vector<Value> out;
  for (std::size_t i = 0; i < count && items > 0; ++i) {
    out.insert(out.end(), sequence.items.begin(), sequence.items.end());
  }
  return runtime.sequence(sequence.kind, std::move(out));
}

bool repeatable(const Value& value) {
  return value.text() != nullptr || (value.sequence() != nullptr && value.sequence()->is_list_or_tuple());
}

// Python's Markup: text that is added to a safe string is escaped first.
Value concatenate_texts(Runtime& runtime, const Text& a, const Text& b) {
  const bool safe = a.safe() || b.safe();
  const std::size_t growth = safe ? 5 : 1;  // "&#34;" for one byte
  runtime.check_text_size((a.size() + b.size()) * growth);
  safe ? runtime.walk(a.footprint() + b.footprint()) : runtime.touch(a.footprint() + b.footprint());
  Text out = safe && !a.safe() ? escaped(a) : a;
  out.append(safe && !b.safe() ? escaped(b) : b);
  out.set_safe(safe);
  return runtime.text(std::move(out));
}

std::optional<Value> concatenate(Runtime& runtime, const Value& a, const Value& b) {
  if (a.text() && b.text()) return concatenate_texts(runtime, *a.text(), *b.text());
  const Sequence* s = a.sequence();
  const Sequence* t = b.sequence();
  if (s == nullptr || t == nullptr || s->kind != t->kind || !s->is_list_or_tuple()) return std::nullopt;
  std::vector<Value> items = s->items;
  items.insert(items.end(), t->items.begin(), t->items.end());
  return runtime.sequence(s->kind, std::move(items));
}

std::optional<Value> on_sequences(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b) {
  if (op == BinaryOperator::kAdd) return concatenate(runtime, a, b);
  if (op == BinaryOperator::kModulo && a.text()) return percent_format(runtime, *a.text(), b);
  if (op != BinaryOperator::kMultiply) return std::nullopt;
  if (repeatable(a) && b.integer()) return repeat(runtime, a, *b.integer());
  if (repeatable(b) && a.integer()) return repeat(runtime, b, *a.integer());
  return std::nullopt;
}

}  // namespace

Value binary(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b) {
  runtime.refuse_undefined(a);
  if (op != BinaryOperator::kModulo || !a.text()) runtime.refuse_undefined(b);
  if (a.get<std::uint64_t>() || b.get<std::uint64_t>()) overflow(runtime);
  if (a.integer() && b.integer()) return integers(runtime, op, *a.integer(), *b.integer());
  if (a.number() && b.number()) return floats(runtime, op, *a.number(), *b.number());
  if (auto value = on_sequences(runtime, op, a, b)) return *std::move(value);
  runtime.type_error("'" + std::string(symbol(op)) + "' is not supported between '" +
                     std::string(type_name(a)) + "' and '" + std::string(type_name(b)) + "'");
}

Value negate(Runtime& runtime, const Value& value) {
  return binary(runtime, BinaryOperator::kMultiply, unary_plus(runtime, value), Value(std::int64_t{-1}));
}

Value unary_plus(Runtime& runtime, const Value& value) {
  runtime.refuse_undefined(value);
  if (value.get<std::uint64_t>()) overflow(runtime);
  if (const auto integer = value.integer()) return Value(*integer);
  if (value.number()) return value;
  runtime.type_error("a sign before a " + std::string(type_name(value)));
}

std::optional<std::int64_t> length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const Text* text = value.text()) return static_cast<std::int64_t>(character_count(text->bytes()));
  if (const Dict* dict = value.dict()) return static_cast<std::int64_t>(dict->size());
  const Sequence* sequence = value.sequence();
  if (sequence == nullptr || !sequence->counted()) return std::nullopt;
  return static_cast<std::int64_t>(sequence->items.size());
}

namespace {

std::optional<Value> character_of(Runtime& runtime, const Text& text, std::int64_t index) {
  const bool from_end = index < 0;
  // A character has at most four bytes.
  runtime.walk(from_end ? text.size() : 4 * std::min(text.size() / 4, static_cast<std::size_t>(index)));
  if (from_end) index += static_cast<std::int64_t>(character_count(text.bytes()));
  if (index < 0) return std::nullopt;
  std::size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += character_at(text.bytes(), at).length;
  if (at >= text.size()) return std::nullopt;
  return runtime.text(text.slice(at, at + character_at(text.bytes(), at).length));
}

// Python's slice.indices(): the first index, how many, and the stride.
struct Indices {
  std::int64_t first, count, step;
  RangeBounds bounds;  // as Python gives them: start, stop and step
};

Indices indices(Runtime& runtime, std::int64_t length, const Value& start, const Value& stop,
                const Value& step) {
  const auto number = [&](const Value& value, std::int64_t otherwise) {
    if (value.is_none()) return otherwise;
    if (const auto integer = value.integer()) return *integer;
    runtime.type_error("slice bounds must be int or None, not " + std::string(type_name(value)));
  };
  const std::int64_t stride = number(step, 1);
  if (stride == 0) runtime.type_error("the step of a slice cannot be 0");
  const std::int64_t low = stride < 0 ? -1 : 0;
  const std::int64_t high = stride < 0 ? length - 1 : length;
  const auto place = [&](const Value& value, std::int64_t otherwise) {
    std::int64_t at = number(value, otherwise);
    if (!value.is_none() && at < 0) at = at < -length ? low : at + length;
    return std::clamp(at, low, std::max(high, low));
  };
  const std::int64_t first = place(start, stride < 0 ? high : low);
  const std::int64_t last = place(stop, stride < 0 ? low : high);
  const std::int64_t span = stride < 0 ? first - last : last - first;
  const RangeBounds bounds{first, last, stride};
  if (span <= 0) return {0, 0, 1, bounds};
  // A stride longer than the sequence selects one item; the cap keeps first + i * step within int64.
  const std::int64_t capped = std::clamp(stride, -length - 1, length + 1);
  return {first, (span - 1) / std::abs(capped) + 1, capped, bounds};
}

}  // namespace

std::optional<Value> find_item(Runtime& runtime, const Value& object, const Value& key) {
  runtime.refuse_undefined(object);
  if (const Dict* dict = object.dict()) {
    runtime.look_up(key);
    const Value* found = hashable(key) ? dict->find(key) : nullptr;
    return found != nullptr ? std::optional<Value>(*found) : std::nullopt;
  }
  const auto index = key.integer();
  if (!index) return std::nullopt;
  if (const Text* text = object.text()) return character_of(runtime, *text, *index);
  const Sequence* sequence = object.sequence();
  if (sequence == nullptr || !sequence->indexable()) return std::nullopt;
  const auto length = static_cast<std::int64_t>(sequence->items.size());
  if (*index < -length || *index >= length) return std::nullopt;
  return sequence->items[static_cast<std::size_t>(*index < 0 ? *index + length : *index)];
}

namespace {

// The byte `count` characters after byte `at`.
std::size_t skip_characters(std::string_view bytes, std::size_t at, std::int64_t count) {
  for (; count > 0; --count) at += character_at(bytes, at).length;
  return at;
}

Value slice_text(Runtime& runtime, const Text& text, const Indices& range) {
  if (range.step == 1) {
    const std::size_t begin = skip_characters(text.bytes(), 0, range.first);
    return runtime.text(text.slice(begin, skip_characters(text.bytes(), begin, range.count)));
  }
  runtime.step(static_cast<std::size_t>(range.count));
  const std::size_t held = text.size() * sizeof(std::size_t);
  runtime.reserve(held);
  const std::vector<std::size_t> offsets = character_offsets(text.bytes());
  Text out;
  for (std::int64_t i = 0; i < range.count; ++i) {
    const auto at = static_cast<std::size_t>(range.first + i * range.step);
    out.append(text, offsets[at], offsets[at + 1]);
  }
  out.set_safe(text.safe());
  runtime.release(held);
  return runtime.text(std::move(out));
}

// A slice of a range. The bounds of a range fit in int64, but not always what lies behind them: wraps around
// then.
RangeBounds slice_of(const RangeBounds& range, const RangeBounds& slice) {
  const auto at = [&](std::int64_t index) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(range.start) +
                                     static_cast<std::uint64_t>(index) *
                                         static_cast<std::uint64_t>(range.step));
  };
  const auto step = static_cast<std::uint64_t>(range.step) * static_cast<std::uint64_t>(slice.step);
  return {at(slice.start), at(slice.stop), static_cast<std::int64_t>(step)};
}

}  // namespace

Value slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step) {
  runtime.refuse_undefined(object);
  if (const Text* text = object.text()) {
    runtime.walk(text->footprint());
    return slice_text(runtime, *text, indices(runtime, *length_of(object), start, stop, step));
  }
  const Sequence* sequence = object.sequence();
  if (sequence == nullptr || !sequence->indexable()) {
    runtime.type_error("a " + std::string(type_name(object)) + " cannot be sliced");
  }
  const auto length = static_cast<std::int64_t>(sequence->items.size());
  const Indices range = indices(runtime, length, start, stop, step);
  std::vector<Value> items;
  for (std::int64_t i = 0; i < range.count; ++i) {
    items.push_back(sequence->items[static_cast<std::size_t>(range.first + i * range.step)]);
  }
  if (sequence->kind != SequenceKind::kRange) return runtime.sequence(sequence->kind, std::move(items));
  return runtime.range(std::move(items), slice_of(sequence->bounds, range.bounds));
}

}  // namespace partita::internal::jinja
