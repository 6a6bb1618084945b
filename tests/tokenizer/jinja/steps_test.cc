// All work on bytes or items counts as steps, so that the limit on steps limits the time.
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "support.h"
#include "tests/catch.h"
#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/functions.h"
#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/parser.h"
#include "tokenizer/jinja/tests.h"

namespace partita::internal::test {
namespace {

using namespace jinja;

constexpr std::size_t kBytes = 1'000'000;
constexpr std::size_t kItems = 10'000;
constexpr std::size_t kBytesOfStep = 256;  // at most this many per step

/// The steps of `work`, until it ends or throws a JinjaError.
template <class Work>
std::size_t steps_of(Runtime& runtime, Work work) {
  const std::size_t before = runtime.steps();
  try {
    work();
  } catch (const JinjaError&) {
    // A type error or a memory limit: the steps until then count.
  }
  return runtime.steps() - before;
}

struct Values {
  explicit Values(Runtime& runtime)
      : text(runtime.text(std::string(kBytes, 'a'), false)),
        other(runtime.text(std::string(kBytes - 1, 'a') + "b", false)),
        key(runtime.text("key", false)),
        number(std::int64_t{1}) {
    std::vector<Value> items(kItems, number);
    list = runtime.list(items);
  }

  Value text, other, key, number, list;
};

/// The required arguments of a builtin besides its input; none by default.
Arguments arguments_of(const std::string& name, const Values& v) {
  const std::map<std::string, std::vector<Value>> given = {{"replace", {v.key, v.key}},
                                                           {"startswith", {v.other}},
                                                           {"endswith", {v.other}},
                                                           {"removeprefix", {v.other}},
                                                           {"removesuffix", {v.other}},
                                                           {"find", {v.other}},
                                                           {"rfind", {v.other}},
                                                           {"index", {v.other}},
                                                           {"rindex", {v.other}},
                                                           {"count", {v.other}},
                                                           {"split", {v.other}},
                                                           {"rsplit", {v.other}},
                                                           {"partition", {v.other}},
                                                           {"rpartition", {v.other}},
                                                           {"join", {v.list}},
                                                           {"ljust", {v.number}},
                                                           {"rjust", {v.number}},
                                                           {"center", {v.number}},
                                                           {"zfill", {v.number}},
                                                           {"attr", {v.other}},
                                                           {"map", {v.other}},
                                                           {"select", {v.other}},
                                                           {"reject", {v.other}},
                                                           {"selectattr", {v.other}},
                                                           {"rejectattr", {v.other}},
                                                           {"in", {v.other}},
                                                           {"eq", {v.other}},
                                                           {"equalto", {v.other}},
                                                           {"==", {v.other}},
                                                           {"ne", {v.other}},
                                                           {"!=", {v.other}},
                                                           {"lt", {v.other}},
                                                           {"lessthan", {v.other}},
                                                           {"<", {v.other}},
                                                           {"le", {v.other}},
                                                           {"<=", {v.other}},
                                                           {"gt", {v.other}},
                                                           {"greaterthan", {v.other}},
                                                           {">", {v.other}},
                                                           {"ge", {v.other}},
                                                           {">=", {v.other}},
                                                           {"sameas", {v.other}},
                                                           {"divisibleby", {v.number}},
                                                           {"default", {v.other}},
                                                           {"d", {v.other}}};
  const auto found = given.find(name);
  return found == given.end() ? Arguments{} : Arguments{found->second, {}};
}

TEST_CASE("Every filter counts the bytes of its input, and every item of a list", "[slow]") {
  for (const auto* table : {&text_filters(), &sequence_filters(), &number_filters()}) {
    for (const auto& [name, filter] : *table) {
      CAPTURE(name);
      Runtime runtime(std::nullopt);
      const Values v(runtime);
      const Arguments arguments = arguments_of(std::string(name), v);
      CHECK(steps_of(runtime, [&, call = filter] { run_filter(call, runtime, v.text, arguments); }) >=
            kBytes / kBytesOfStep);
    }
  }
  // Filters that accept lists visit every item, except those that use only the length.
  for (const char* name :
       {"list", "reverse", "join", "sum", "min", "max", "sort", "unique", "string", "tojson", "select",
        "reject", "upper", "lower", "title", "trim", "escape", "wordcount"}) {
    CAPTURE(name);
    Runtime runtime(std::nullopt);
    const Values v(runtime);
    CHECK(steps_of(runtime, [&] { run_filter(find_filter(name), runtime, v.list, {}); }) >= kItems);
  }
}

TEST_CASE("Every test counts the bytes of its input") {
  for (const auto& [name, test] : tests()) {
    CAPTURE(name);
    Runtime runtime(std::nullopt);
    const Values v(runtime);
    const Arguments arguments = arguments_of(std::string(name), v);
    CHECK(steps_of(runtime, [&, call = test] { run_test(call, runtime, v.text, arguments); }) >=
          kBytes / kBytesOfStep);
  }
}

TEST_CASE("Every method of str counts the bytes of the text and of its arguments") {
  for (const auto& [name, method] : text_methods()) {
    CAPTURE(name);
    Runtime runtime(std::nullopt);
    const Values v(runtime);
    const Arguments arguments = arguments_of(std::string(name), v);
    const Value bound = *find_method(runtime, v.text, name);
    CHECK(steps_of(runtime, [&] { bound.object()->callable()->call(runtime, arguments); }) >=
          kBytes / kBytesOfStep);
    const bool takes_text = !arguments.positional.empty() && arguments.positional[0].text() != nullptr;
    if (!takes_text) continue;
    const Value small = *find_method(runtime, v.key, name);
    const Arguments again = arguments_of(std::string(name), v);
    CHECK(steps_of(runtime, [&] { small.object()->callable()->call(runtime, again); }) >=
          (arguments.positional[0].text()->size()) / kBytesOfStep);
  }
}

TEST_CASE("startswith and endswith count every affix of a tuple") {
  Runtime runtime(std::nullopt);
  const Values v(runtime);
  const Value affixes = runtime.sequence(SequenceKind::kTuple, std::vector<Value>(100, v.other));
  for (const char* name : {"startswith", "endswith"}) {
    const Value bound = *find_method(runtime, v.text, name);
    CHECK(steps_of(runtime, [&] {
            bound.object()->callable()->call(runtime, Arguments{{affixes}, {}});
          }) >= 100 * ((kBytes - 1) / kBytesOfStep));
  }
}

TEST_CASE("Operators and look-ups count the bytes that they touch") {
  Runtime runtime(std::nullopt);
  const Values v(runtime);
  const Value none{None{}};
  Dict keys;
  keys.set(v.text, v.number);
  const Value dict = runtime.dict(std::move(keys));
  const Value percent = runtime.text("%.0s", false);
  const Value tuple = runtime.sequence(SequenceKind::kTuple, {v.other, v.text});
  const auto counts = [&](auto work) { return steps_of(runtime, work) >= kBytes / kBytesOfStep; };
  CHECK(counts([&] { binary(runtime, BinaryOperator::kAdd, v.text, v.key); }));
  CHECK(counts([&] { binary(runtime, BinaryOperator::kMultiply, v.text, v.number); }));
  CHECK(counts([&] { binary(runtime, BinaryOperator::kModulo, percent, v.text); }));
  CHECK(counts([&] { binary(runtime, BinaryOperator::kModulo, v.text, v.number); }));
  for (const Comparison op :
       {Comparison::kEqual, Comparison::kNotEqual, Comparison::kLess, Comparison::kLessEqual,
        Comparison::kGreater, Comparison::kGreaterEqual, Comparison::kIn, Comparison::kNotIn}) {
    CHECK(counts([&] { compare(runtime, op, v.text, v.other); }));
  }
  CHECK(counts([&] { contains(runtime, v.key, v.text); }));
  CHECK(counts([&] { contains(runtime, dict, v.other); }));
  CHECK(counts([&] { contains(runtime, dict, tuple); }));
  CHECK(counts([&] { find_item(runtime, dict, v.other); }));
  CHECK(counts([&] { item_of(runtime, dict, v.other); }));
  CHECK(counts([&] { attribute_of(runtime, dict, v.other.text()->bytes()); }));
  CHECK(counts([&] { find_item(runtime, v.text, Value(std::int64_t{-1})); }));
  CHECK(counts([&] { find_item(runtime, v.text, Value(std::int64_t{kBytes - 1})); }));
  CHECK(counts([&] { slice(runtime, v.text, v.number, none, none); }));
  CHECK(counts([&] { slice(runtime, v.text, none, none, Value(std::int64_t{-1})); }));
  CHECK(steps_of(runtime, [&] { runtime.elements(runtime.text(std::string(kItems, 'x'), false)); }) >=
        kItems);
  CHECK(counts([&] {
    find_function("dict")->object()->callable()->call(runtime, Arguments{{runtime.list({tuple})}, {}});
  }));
  CHECK(counts([&] {
    find_function("strftime_now")->object()->callable()->call(runtime, Arguments{{v.text}, {}});
  }));
  CHECK(counts([&] {
    find_method(runtime, dict, "get")->object()->callable()->call(runtime, Arguments{{v.other}, {}});
  }));
}

/// The steps of a whole template, or of the part that the limit allows.
std::size_t steps_of(const std::string& source) {
  const Template parsed = parse_template(source);
  Runtime runtime(std::nullopt);
  Interpreter interpreter(runtime, std::make_shared<Scope>());
  return steps_of(runtime, [&] { interpreter.render(parsed); });
}

TEST_CASE("A template that hits the step limit has touched no more bytes than its steps cover", "[slow]") {
  constexpr std::size_t kWide = 400'000;  // characters of two bytes
  const std::string large = "{% set x = 'ab' * 500000 %}{% set y = 'é' * 400000 %}";
  const std::string loop = "{% for i in range(100000) %}{% for j in range(100) %}",
                    end = "{% endfor %}{% endfor %}";
  struct Case {
    const char* body;
    std::size_t bytes;  // that it reads or creates
  };
  const std::size_t before = steps_of(large);
  for (const auto& [body, bytes] :
       {Case{"", 0}, Case{"{% if x.startswith(x) %}{% endif %}", kBytes},
        Case{"{% set z = y | title %}", 2 * kWide}, Case{"{% set z = y[:-1] %}", 2 * kWide},
        Case{"{% set z = x in y %}", 2 * kWide}, Case{"{% set z = x.rfind('c') %}", kBytes},
        Case{"{% set z = '%.9999f' % 0.1 %}", 9999}, Case{"{% set z = '%.0s' % x %}", kBytes},
        Case{"{% set z = y | tojson(true) %}", 2 * kWide}, Case{"{% set z = undefined_name %}", 0},
        Case{"{% set z = strftime_now('%Y') %}", 4}}) {
    CAPTURE(body);
    const std::size_t rounds = 10;
    CHECK(steps_of(large + "{% for i in range(10) %}" + body + "{% endfor %}") >=
          before + rounds * (1 + bytes / kBytesOfStep));
    const auto result = render(large + loop + body + end);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::kOutOfMemory);
    CHECK(result.error().message.find("10000000 steps") != std::string::npos);
  }
}

TEST_CASE("A rendering stops when it is cancelled") {
  const auto parsed =
      ChatTemplate::parse("{% for i in range(100000) %}{% for j in range(100) %}{% endfor %}{% endfor %}");
  REQUIRE(parsed.ok());
  std::atomic<bool> cancel{true};
  for (const auto& error : {parsed->render(Json::object(), &cancel).error(),
                            parsed->render_pieces(Json::object(), &cancel).error()}) {
    CHECK(error.code == ErrorCode::kCancelled);
    CHECK(error.message == "chat template, line 1, column 4: the rendering was cancelled");
  }
  cancel = false;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    cancel = true;
  });
  CHECK(parsed->render(Json::object(), &cancel).error().code == ErrorCode::kCancelled);
  other.join();
}

}  // namespace
}  // namespace partita::internal::test
