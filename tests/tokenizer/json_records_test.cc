// Tokenizers of tokenizer.json against the answers of Hugging Face's tokenizers
// (tests/oracles/record_tokenizer_json.py).
#include <cstdlib>
#include <fstream>

#include "support.h"
#include "tests/catch.h"
#include "tests/must.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/json/tokenizer_json.h"
#include "tokenizer/utf8.h"

namespace partita::internal::test {
namespace {

nlohmann::json read(const std::string& directory, const std::string& name) {
  std::ifstream file(directory + "/" + name + ".json");
  if (!file) FAIL(directory << "/" << name << ".json cannot be read");
  return nlohmann::json::parse(file);
}

/// As the reference shows bytes that are not UTF-8.
std::string shown(const std::string& bytes) {
  std::string text;
  for (std::string_view rest = bytes; !rest.empty();) {
    const Utf8Unit unit = first_unit(rest);
    text +=
        unit.kind == Utf8Unit::Kind::kCharacter ? std::string(rest.substr(0, unit.length)) : "\xEF\xBF\xBD";
    rest.remove_prefix(unit.length);
  }
  return text;
}

struct Case {
  std::unique_ptr<Tokenizer> tokenizer;
  nlohmann::json record;
  std::vector<std::string> strings;

  void check_text(const char* key, std::size_t i, bool show_control) const {
    const nlohmann::json& expected = record.at(key).at(i);
    const auto ids = record.at("ids").at(i).get<Ids>();
    const std::string text = expected.is_null() ? strings[i] : expected.get<std::string>();
    if (shown(tokenizer->decode(ids, show_control)) != text)
      CHECK(shown(tokenizer->decode(ids, show_control)) == text);
  }

  void check(std::size_t i) const {
    INFO("string " << i << ": " << strings[i]);
    const auto expected = record.at("ids").at(i).get<Ids>();
    const Ids ids = encode(*tokenizer, strings[i], Specials::kParse);
    if (ids != expected) CHECK(ids == expected);
    check_text("text", i, false);
    check_text(record.contains("special_text") ? "special_text" : "text", i, true);
    Ids around = record.at("before").get<Ids>();
    around.insert(around.end(), expected.begin(), expected.end());
    for (const TokenId id : record.at("after").get<Ids>()) around.push_back(id);
    const bool repeats_bos =
        !expected.empty() && around.size() > 1 && around[0] == around[1] && record.at("before").size() == 1;
    if (!repeats_bos && prompt(*tokenizer, strings[i]) != around)
      CHECK(prompt(*tokenizer, strings[i]) == around);
  }
};

std::string directory_of_records() {
  const char* named = std::getenv("PARTITA_TOKENIZER_RECORDS");
  return named != nullptr ? named : PARTITA_TEST_DATA "/tokenizer_json";
}

}  // namespace

TEST_CASE("tokenizer.json gives the ids and texts of the reference") {
  const std::string directory = directory_of_records();
  const auto strings = read(directory, "strings").get<std::vector<std::string>>();
  const auto cases = read(directory, "cases").at("cases").get<std::vector<std::string>>();
  CHECK(cases.size() > 70);
  for (const std::string& name : cases) {
    INFO("case " << name);
    const nlohmann::json whole = read(directory, name);
    auto tokenizer = read_json_tokenizer(whole.at("tokenizer").dump(), "tokenizer.json");
    if (!tokenizer) FAIL(tokenizer.error().message);
    const Case one{std::move(*tokenizer), whole.at("record"), strings};
    for (std::size_t i = 0; i < strings.size(); ++i) one.check(i);
  }
}

}  // namespace partita::internal::test
