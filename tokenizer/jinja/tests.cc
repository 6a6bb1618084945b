#include "tokenizer/jinja/tests.h"

#include <utility>

#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {
namespace {

// A test without arguments, from a predicate of the value alone.
template <bool (*predicate)(const Value&)>
bool plain(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "the test", arguments, {});
  return predicate(input);
}

template <Comparison op>
bool comparing(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "the comparison", arguments, {"other"}, 1);
  return compare(runtime, op, input, p[0]);
}

bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.get<bool>() != nullptr; }
bool is_true(const Value& v) { return v.get<bool>() != nullptr && *v.get<bool>(); }
bool is_false(const Value& v) { return v.get<bool>() != nullptr && !*v.get<bool>(); }
bool is_integer(const Value& v) {
  return v.get<std::int64_t>() != nullptr || v.get<std::uint64_t>() != nullptr;
}
bool is_float(const Value& v) { return v.get<double>() != nullptr; }
bool is_number(const Value& v) { return v.number().has_value(); }
bool is_string(const Value& v) { return v.text() != nullptr; }
bool is_mapping(const Value& v) { return v.dict() != nullptr; }
bool is_callable(const Value& v) {
  return v.is_undefined() ||
         (v.object() != nullptr && v.object()->callable() != nullptr);  // calling an undefined value fails
}
bool is_escaped(const Value&) { return false; }

bool is_iterable(const Value& v) { return v.text() || v.dict() || v.sequence() || v.is_undefined(); }
bool is_sequence(const Value& v) {
  return v.text() || v.dict() || v.is_undefined() || (v.sequence() != nullptr && v.sequence()->indexable());
}

// Whether a string has letters and all of them are unchanged by `map`.
template <char32_t (*map)(char32_t)>
bool all_cased(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "the test", arguments, {});
  const Text text = to_text(runtime, input);
  runtime.walk(text.size());
  bool cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.bytes(), at);
    if (map(c.code) != c.code) return false;
    cased = cased || upper_of(c.code) != lower_of(c.code);
    at += c.length;
  }
  return cased;
}

Value rest_of_division(Runtime& runtime, const Value& input, std::int64_t divisor) {
  const Value by{divisor};
  if (input.text() != nullptr) runtime.type_error("a str is neither odd nor even");
  return binary(runtime, BinaryOperator::kModulo, input, by);
}
bool is_odd(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "odd", arguments, {});
  return rest_of_division(runtime, input, 2).number() == 1;
}
bool is_even(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "even", arguments, {});
  return rest_of_division(runtime, input, 2).number() == 0;
}
bool is_divisible(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "divisibleby", arguments, {"num"}, 1);
  return rest_of_division(runtime, input, p.integer(0, 1)).number() == 0;
}

bool is_same(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "sameas", arguments, {"other"}, 1);
  const Value& other = p[0];
  if (input.data().index() != other.data().index()) return false;
  if (input.sequence() != nullptr) return input.sequence() == other.sequence();
  if (input.dict() != nullptr) return input.dict() == other.dict();
  return equal(runtime, input, other);
}

bool is_filter(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "filter", arguments, {});
  if (!hashable(input)) runtime.type_error("the name of a filter is not a " + std::string(type_name(input)));
  return input.text() != nullptr && find_filter(input.text()->bytes()) != nullptr;
}
bool is_test(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "test", arguments, {});
  if (!hashable(input)) runtime.type_error("the name of a test is not a " + std::string(type_name(input)));
  return input.text() != nullptr && find_test(input.text()->bytes()) != nullptr;
}

}  // namespace

std::span<const NamedTest> tests() {
  static constexpr NamedTest kTests[] = {
      {"defined", plain<is_defined>},
      {"undefined", plain<is_undefined>},
      {"none", plain<is_none>},
      {"boolean", plain<is_boolean>},
      {"true", plain<is_true>},
      {"false", plain<is_false>},
      {"integer", plain<is_integer>},
      {"float", plain<is_float>},
      {"number", plain<is_number>},
      {"string", plain<is_string>},
      {"mapping", plain<is_mapping>},
      {"iterable", plain<is_iterable>},
      {"sequence", plain<is_sequence>},
      {"callable", plain<is_callable>},
      {"escaped", plain<is_escaped>},
      {"lower", all_cased<lower_of>},
      {"upper", all_cased<upper_of>},
      {"odd", is_odd},
      {"even", is_even},
      {"divisibleby", is_divisible},
      {"sameas", is_same},
      {"filter", is_filter},
      {"test", is_test},
      {"in", comparing<Comparison::kIn>},
      {"eq", comparing<Comparison::kEqual>},
      {"equalto", comparing<Comparison::kEqual>},
      {"==", comparing<Comparison::kEqual>},
      {"ne", comparing<Comparison::kNotEqual>},
      {"!=", comparing<Comparison::kNotEqual>},
      {"lt", comparing<Comparison::kLess>},
      {"lessthan", comparing<Comparison::kLess>},
      {"<", comparing<Comparison::kLess>},
      {"le", comparing<Comparison::kLessEqual>},
      {"<=", comparing<Comparison::kLessEqual>},
      {"gt", comparing<Comparison::kGreater>},
      {"greaterthan", comparing<Comparison::kGreater>},
      {">", comparing<Comparison::kGreater>},
      {"ge", comparing<Comparison::kGreaterEqual>},
      {">=", comparing<Comparison::kGreaterEqual>},
  };
  return kTests;
}

Test find_test(std::string_view name) {
  for (const auto& [known, test] : tests()) {
    if (known == name) return test;
  }
  return nullptr;
}

bool run_test(Test test, Runtime& runtime, const Value& input, const Arguments& arguments) {
  runtime.step();
  runtime.touch_text(input);
  return test(runtime, input, arguments);
}

}  // namespace partita::internal::jinja
