// Errors have a message, a position and an error code.
#include <thread>

#include "support.h"
#include "tests/catch.h"

namespace partita::internal::test {
namespace {

Error error_of(const std::string& source, const Json& context = Json::object()) {
  const auto result = render(source, context);
  REQUIRE_FALSE(result.ok());
  return result.error();
}

TEST_CASE("the message of raise_exception() is the whole error message") {
  const Error error =
      error_of("\n{{ raise_exception('Roles must alternate: ' ~ messages[0].content) }}", user_message("x"));
  CHECK(error.code == ErrorCode::kInvalidArgument);
  CHECK(error.message == "Roles must alternate: x");
  CHECK(error_of("{{ raise_exception(nothing) }}").message ==
        "the template refuses its context with raise_exception(), and does not say why");
}

TEST_CASE("a syntax error names line and column") {
  const Error error = error_of("a\n  {{ 1 + }}");
  CHECK(error.code == ErrorCode::kBadFile);
  CHECK(error.message == "chat template, line 2, column 10: unexpected '}}'");
  CHECK(error_of("\n\n{% if x %}").message == "chat template, line 3, column 11: the block has no 'endif'");
  CHECK(error_of("{% frob %}").message == "chat template, line 1, column 4: unknown tag 'frob'");
  CHECK(error_of("x\n{{ 'abc\n\n }}").message == "chat template, line 2, column 4: the string is not closed");
  CHECK(error_of("{{ a\nb\n").message == "chat template, line 1, column 1: the expression has no '}}'");
}

TEST_CASE("an unsupported construct is named with its place") {
  const auto unsupported = [](const std::string& source, const std::string& message) {
    const Error error = error_of(source, user_message("x"));
    CHECK(error.code == ErrorCode::kUnsupported);
    CHECK(error.message == message);
  };
  unsupported("\n{% include 'x' %}", "chat template, line 2, column 4: the tag 'include' is not supported");
  unsupported("{% autoescape true %}{% endautoescape %}",
              "chat template, line 1, column 4: autoescaping is not supported");
  unsupported("{{ 1 | frob }}", "chat template, line 1, column 8: the filter 'frob' is not supported");
  unsupported("{{ 1 is frob }}", "chat template, line 1, column 9: the test 'frob' is not supported");
  unsupported("\n{{ messages[0].content.casefold() }}",
              "chat template, line 2, column 23: the method str.casefold() is not supported");
  unsupported("{{ lipsum() }}", "chat template, line 1, column 10: the function lipsum() is not supported");
  unsupported("{{ 9223372036854775807 + 1 }}",
              "chat template, line 1, column 4: an integer beyond 64 bits is not supported");
  unsupported("{{ 9223372036854775808 }}",
              "chat template, line 1, column 4: an integer beyond 64 bits is not supported");
  unsupported("{{ '{:z}'.format(1) }}", "chat template, line 1, column 17: 'z' in a format is not supported");
  unsupported("{{ strftime_now('%U') }}",
              "chat template, line 1, column 16: the time format '%U' is not supported");
  unsupported("{{ messages.count }}", "chat template, line 1, column 1: printing a method is not supported");
  for (const char* surrogate : {"\\ud800", "\\uDFFF", "\\U0000dabc"})
    unsupported("\n{{ '" + std::string(surrogate) + "' }}",
                "chat template, line 2, column 5: a surrogate in a string is not supported");
  CHECK(render("{{ '\\ud7ff\\ue000\\U0010ffff' }}").value() == "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF");
  CHECK(error_of("{{ '\\U00110000' }}").message ==
        "chat template, line 1, column 5: the escape is not a Unicode character");
}

TEST_CASE("an error of rendering names its place") {
  const Error error = error_of("a\n{% for x in [1] %}\n{{ x.y.z }}\n{% endfor %}");
  CHECK(error.code == ErrorCode::kBadFile);
  CHECK(error.message == "chat template, line 3, column 7: 'int object' has no attribute 'y'");
  CHECK(error_of("\n{{ x + 1 }}").message == "chat template, line 2, column 4: 'x' is undefined");
  CHECK(error_of("{{ [1].append(2) }}").message ==
        "chat template, line 1, column 14: list.append() changes a value, which templates may not do");
}

TEST_CASE("the context is an object of bounded depth") {
  CHECK(error_of("x", Json::array()).code == ErrorCode::kInvalidArgument);
  Json deep = "x";
  for (int i = 0; i < 1000; ++i) deep = Json::array({deep});
  CHECK(error_of("x", {{"messages", deep}}).code == ErrorCode::kInvalidArgument);
}

TEST_CASE("integers are exact at their limits") {
  const auto value = [](const std::string& expression) { return render("{{ " + expression + " }}").value(); };
  CHECK(value("-9223372036854775807 - 1") == "-9223372036854775808");
  CHECK(value("(-9223372036854775807 - 1) % -1") == "0");
  CHECK(value("3037000499 ** 2") == "9223372030926249001");
  CHECK(error_of("{{ (-9223372036854775807 - 1) // -1 }}").code == ErrorCode::kUnsupported);
  CHECK(error_of("{{ -(-9223372036854775807 - 1) }}").code == ErrorCode::kUnsupported);
  CHECK(error_of("{{ 3037000500 ** 2 }}").code == ErrorCode::kUnsupported);
  CHECK(error_of("{{ 9223372036854775807 * 2 }}").code == ErrorCode::kUnsupported);
  CHECK(render("{{ x }} {{ x == 18446744073709551615 | float }}", {{"x", 18446744073709551615u}}).ok() ==
        false);
  CHECK(render("{{ x }}", {{"x", 18446744073709551615u}}).value() == "18446744073709551615");
}

TEST_CASE("the context can fix the time") {
  CHECK(render("{{ strftime_now('%Y-%m-%d %H:%M') }}", {{"strftime_now", 0}}).value() == "1970-01-01 00:00");
  CHECK(render("{{ strftime_now('%Y') | int > 2000 }}").value() == "True");
  CHECK(error_of("{{ strftime_now('%Y') }}", {{"strftime_now", INT64_MAX}}).code == ErrorCode::kBadFile);
}

TEST_CASE("invalid UTF-8 in a message passes through") {
  const std::string bytes = "a\xFF\xC3";
  CHECK(render("{{ messages[0].content }}", user_message(bytes)).value() == bytes);
  CHECK(render("{{ messages[0].content | length }}", user_message(bytes)).value() == "3");
  CHECK(render("{{ messages[0].content[::-1] }}", user_message(bytes)).value() ==
        "\xC3\xFF"
        "a");
  CHECK(render("{{ messages[0].content | trim | lower }}", user_message(bytes)).value() == bytes);
}

TEST_CASE("threads share one template") {
  const auto parsed = ChatTemplate::parse(read_data("harmony_style.jinja"));
  REQUIRE(parsed.ok());
  const Json context = read_record("rendered.json")["contexts"]["tool talk"];
  const std::string expected = parsed->render(context).value();
  std::vector<std::thread> threads;
  std::vector<std::string> results(4);
  for (std::string& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) result = parsed->render(context).value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& result : results) CHECK(result == expected);
}

}  // namespace
}  // namespace partita::internal::test
