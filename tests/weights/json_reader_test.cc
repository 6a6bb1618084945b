#include <nlohmann/json.hpp>
#include <string>

#include "tests/catch.h"
#include "weights/json_reader.h"

namespace partita {
namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

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

TEST_CASE("JSON is read as the library's own parser reads it") {
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

TEST_CASE("Of a key that an object has twice the last value counts, or it is refused") {
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
  CHECK(read_json(nested(kMaxJsonDepth), "it", {}).ok());
  CHECK(check_json(nested(kMaxJsonDepth), "it").ok());
  const std::string deep = "it nests objects and arrays deeper than the 100 levels allowed";
  CHECK(error_of(nested(kMaxJsonDepth + 1)) == deep);
  CHECK(error_of(std::string(10'000'000, '[')) == deep);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  CHECK(error_of(objects) == deep);
}

TEST_CASE("What is no JSON is said with its place") {
  CHECK(error_of("") == "it is not valid JSON: it ends too early, at byte 0");
  CHECK(error_of("[1,") == "it is not valid JSON: it ends too early, at byte 3");
  CHECK(error_of("[1,}") == "it is not valid JSON: unexpected input at byte 4");
  CHECK(error_of("{} {}") == "it is not valid JSON: unexpected input at byte 4");
}

TEST_CASE("A number that is out of range is named") {
  const std::string rest = " and is out of range: numbers are below 1.8e308";
  CHECK(error_of("[1e400]") == "it has the number '1e400', which ends at byte 6" + rest);
  CHECK(error_of(R"({"n":-2e308})") == "it has the number '-2e308', which ends at byte 11" + rest);
  CHECK_THAT(error_of(std::string(400, '9')), Catch::Matchers::Contains("is out of range"));
  CHECK(check_json("[1e-400]", "it").ok());
}

TEST_CASE("An object with many keys is read in time that grows with it") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"" + std::to_string(i) + "\":0,";
  text += "\"\":0}";
  CHECK(read_ordered_json(text, "it", {})->size() == 200'001);  // in a quarter of a second, not in a minute
}

}  // namespace
}  // namespace partita
