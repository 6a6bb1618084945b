// Rows of a batch with tools become the prompts that transformers makes (tests/oracles/record_tools.py).
#include <fstream>
#include <sstream>

#include "tests/catch.h"
#include "tests/must.h"
#include "tools/batch/batch_row.h"

namespace tools::test {
namespace {

using partita::internal::testing::must;

const std::string kFolder = std::string(PARTITA_TEST_DATA) + "/template/";

std::string text_of_file(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(kFolder + name).rdbuf();
  return text.str();
}

/// The bundled model, which has the vocabulary of the record, with another template.
partita::Model model_with(const std::string& chat_template) {
  partita::OpenOptions options;
  options.text_only = true;
  options.chat_template = text_of_file(chat_template);
  return must(partita::Model::open(std::string(partita::kBundledModel), options));
}

TEST_CASE("A row with tools has the prompt of apply_chat_template, as text and as ids") {
  const Json record = Json::parse(text_of_file("tool_prompts.json"));
  std::size_t prompts = 0;
  for (const Json& expected : record["cases"]) {
    const partita::Model model = model_with(expected["template"]);
    for (const Json& line : record["rows"][expected["chat"].get<std::string>()]) {
      INFO(expected["template"] << " " << line);
      RowReader reader({}, false);
      const auto read = reader.read(json_text(line), 1);
      if (const auto* bad = std::get_if<BadRow>(&read)) FAIL(bad->error.message);
      const partita::Request& request = std::get<Row>(read).request;
      const auto ids = model.tokenize_chat(request.messages, request.chat);
      if (expected.contains("error")) {
        REQUIRE(!ids);
        CHECK(ids.error().message == expected["error"].get<std::string>());
        continue;
      }
      CHECK(must(model.detokenize(must(ids))) == expected["text"].get<std::string>());
      CHECK(must(ids) == expected["ids"].get<std::vector<partita::TokenId>>());
      ++prompts;
    }
  }
  CHECK(prompts == 104);
}

}  // namespace
}  // namespace tools::test
