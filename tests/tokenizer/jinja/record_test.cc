// Renderings equal the records of transformers, including its refusals.
#include "support.h"
#include "tests/catch.h"

namespace partita::internal::test {
namespace {

// `expected`: one result of record_templates.py.
void check(const Json& expected, const std::string& source, const Json& context) {
  const auto result = render(source, context);
  if (expected.contains("text")) {
    if (!result) FAIL_CHECK(result.error().message);
    if (result) CHECK(*result == expected["text"].get<std::string>());
    return;
  }
  REQUIRE_FALSE(result.ok());
  if (expected.contains("raised")) {
    CHECK(result.error().code == ErrorCode::kInvalidArgument);
    CHECK(result.error().message == expected["raised"].get<std::string>());
  } else {
    INFO("recorded: " << expected["error"]);
    CHECK(result.error().code != ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("templates render every conversation as transformers does") {
  const Json record = read_record("rendered.json");
  REQUIRE(record["rendered"].size() == 12);
  REQUIRE(record["contexts"].size() >= 20);
  for (const auto& [name, results] : record["rendered"].items()) {
    const std::string source = read_data(name);
    REQUIRE(results.size() == record["contexts"].size());
    for (const auto& [conversation, expected] : results.items()) {
      INFO(name << ", " << conversation);
      check(expected, source, record["contexts"][conversation]);
    }
  }
}

TEST_CASE("snippets render as in jinja2") {
  const Json record = read_record("snippets.json");
  REQUIRE(record["snippets"].size() > 700);
  for (const Json& snippet : record["snippets"]) {
    INFO(snippet["source"]);
    check(snippet, snippet["source"], record["context"]);
  }
}

TEST_CASE("pieces alternate and concatenate to the text") {
  const Json record = read_record("rendered.json");
  for (const auto& [name, results] : record["rendered"].items()) {
    const std::string source = read_data(name);
    for (const auto& [conversation, expected] : results.items()) {
      if (!expected.contains("text")) continue;
      INFO(name << ", " << conversation);
      const auto pieces = render_pieces(source, record["contexts"][conversation]);
      REQUIRE(pieces.ok());
      std::string joined;
      for (std::size_t i = 0; i < pieces->size(); ++i) {
        CHECK_FALSE((*pieces)[i].text.empty());
        if (i > 0) CHECK((*pieces)[i].from_message != (*pieces)[i - 1].from_message);
        joined += (*pieces)[i].text;
      }
      CHECK(joined == expected["text"].get<std::string>());
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
