#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/sanitized.h"
#include "tests/weights/files.h"
#include "weights/json/reader.h"

namespace partita::internal {
namespace {

std::string error_of(std::string_view text, const JsonLimits& limits = {}) {
  const auto checked = check_json(text, "it", limits);
  const auto read = read_json(text, "it", limits);
  const auto ordered = read_ordered_json(text, "it", limits);
  REQUIRE(!checked);
  REQUIRE(!read);
  REQUIRE(!ordered);
  CHECK(checked.error().code == ErrorCode::kBadFile);
  CHECK(read.error().message == checked.error().message);
  CHECK(ordered.error().message == checked.error().message);
  return checked.error().message;
}

TEST_CASE("JSON is read as nlohmann's parser reads it") {
  for (const std::string_view text :
       {R"({"a":[1,-2,0.5,true,null,"\u00e9"],"b":{},"":[[],{"c":[{"d":1}],"e":2},3]})", "[]", "{}", "null",
        R"("text")", "-0", "18446744073709551615", "1e300", R"({"b":1,"a":2})",
        R"([[[1],[2]],[],{"x":[]}])"}) {
    CAPTURE(text);
    CHECK(check_json(text, "it").ok());
    CHECK(read_json(text, "it", {})->dump() == nlohmann::json::parse(text).dump());
    CHECK(read_ordered_json(text, "it", {})->dump() == nlohmann::ordered_json::parse(text).dump());
  }
}

/// Random texts that are JSON or nearly JSON: built from parts, then corrupted.
std::string nearly_json(std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ",",
                                                   ":",
                                                   "\"",
                                                   "\"a\"",
                                                   "\"b\":",
                                                   "null",
                                                   "true",
                                                   "false",
                                                   "nul",
                                                   "0",
                                                   "-0",
                                                   "01",
                                                   "-",
                                                   "1.",
                                                   ".5",
                                                   "1.5",
                                                   "-2.25e3",
                                                   "1E+2",
                                                   "1e",
                                                   "9223372036854775807",
                                                   "-9223372036854775808",
                                                   "9223372036854775808",
                                                   "18446744073709551616",
                                                   "1e308",
                                                   "1e309",
                                                   "-1e309",
                                                   "0e999999",
                                                   "1e-400",
                                                   "0.00001e-99999999999",
                                                   " ",
                                                   "\n",
                                                   "\t",
                                                   "\r",
                                                   "\f",
                                                   "\"\\u00e9\"",
                                                   "\"\\ud83d\\ude00\"",
                                                   "\"\\ud83d\"",
                                                   "\"\\ude00\"",
                                                   "\"\\ud83dx\"",
                                                   "\"\\u12g4\"",
                                                   "\"\\n\\/\\\\\"",
                                                   "\"\\x\"",
                                                   "\"\xC3\xA9\"",
                                                   "\"\xC3\"",
                                                   "\"\xE2\x82\xAC\"",
                                                   "\"\xED\xA0\x80\"",
                                                   "\"\xF4\x90\x80\x80\"",
                                                   "\"\xF0\x9F\x98\x80\"",
                                                   "{\"a\":1,",
                                                   "[1,",
                                                   "\"\xC0\x80\"",
                                                   "\"\xE0\x9F\xBF\"",
                                                   "\"\xF0\x8F\xBF\xBF\"",
                                                   "\"\x01\"",
                                                   "\"\x7F\"",
                                                   "\xEF\xBB\xBF",
                                                   "//"};
  std::string text;
  const std::size_t pieces = 1 + random() % 9;
  for (std::size_t i = 0; i < pieces; ++i) text += kPieces[random() % kPieces.size()];
  return text;
}

TEST_CASE("The scanner accepts exactly what nlohmann's parser accepts, with the same values") {
  std::mt19937 random(11);
  std::size_t taken = 0;
  for (int i = 0; i < test::all_or(300'000, 60'000); ++i) {
    const std::string text = nearly_json(random);
    CAPTURE(text);
    const auto expected = nlohmann::ordered_json::parse(text, nullptr, false);
    const auto read = read_ordered_json(text, "it", {});
    REQUIRE(read.ok() != expected.is_discarded());
    REQUIRE(check_json(text, "it").ok() == read.ok());
    if (!read) continue;
    ++taken;
    REQUIRE(*read == expected);
    REQUIRE(read->type() == expected.type());
  }
  CHECK(taken > 1000);
}

TEST_CASE("For a duplicate key the last value wins, or the object is refused") {
  const std::string_view twice = R"({"a":1,"b":[2],"a":{"c":3,"c":4},"d":5})";
  CHECK(check_json(twice, "it").ok());
  CHECK(read_ordered_json(twice, "it", {})->dump() == R"({"a":{"c":4},"b":[2],"d":5})");
  CHECK(read_json(twice, "it", {}).error().message == "it has the key 'a' twice in one object");
}

TEST_CASE("JSON is read within its limits") {
  JsonLimits limits;
  limits.bytes = 64;
  CHECK(error_of("[" + std::string(64, ' ') + "]", limits) == "it has 66 bytes, and 64 are allowed");
  limits.values = 3;
  CHECK(check_json("[1,[]]", "it", limits).ok());
  CHECK(error_of("[1,2,3]", limits) == "it has more values than the 3 allowed");
  CHECK(read_json(test::nested(kMaxJsonDepth), "it", {}).ok());
  CHECK(check_json(test::nested(kMaxJsonDepth), "it").ok());
  const std::string deep = "it nests objects and arrays deeper than the 100 levels allowed";
  CHECK(error_of(test::nested(kMaxJsonDepth + 1)) == deep);
  CHECK(error_of(std::string(10'000'000, '[')) == deep);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  CHECK(error_of(objects) == deep);
}

TEST_CASE("An error for invalid JSON names the position") {
  CHECK(error_of("") == "it is not valid JSON: it ends too early, at byte 0");
  CHECK(error_of("[1,") == "it is not valid JSON: it ends too early, at byte 3");
  CHECK(error_of("[1,}") == "it is not valid JSON: unexpected input at byte 4");
  CHECK(error_of(R"({"a":[1,2,"b\u00e9\ud800"]})") == "it is not valid JSON: unexpected input at byte 25");
  CHECK(error_of("{} {}") == "it is not valid JSON: unexpected input at byte 4");
}

TEST_CASE("A number that is out of range is named") {
  const std::string rest = " and is out of range: numbers are below 1.8e308";
  CHECK(error_of("[1e400]") == "it has the number '1e400', which ends at byte 6" + rest);
  CHECK(error_of(R"({"n":-2e308})") == "it has the number '-2e308', which ends at byte 11" + rest);
  CHECK_THAT(error_of(std::string(400, '9')), Catch::Matchers::Contains("is out of range"));
  CHECK(*read_json("[1e-400,-1e-400,0e9999999999999999999999,0.1e-9999999999999999999999]", "it", {}) ==
        nlohmann::json({0.0, -0.0, 0.0, 0.0}));
}

TEST_CASE("An object with many keys is read in time that grows with it") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"" + std::to_string(i) + "\":0,";
  text += "\"\":0}";
  CHECK(read_ordered_json(text, "it", {})->size() == 200'001);  // in a quarter of a second, not in a minute
}

}  // namespace
}  // namespace partita::internal
