// What tokenizer.json may not have, and what becomes of expressions.
#include "support.h"
#include "tests/catch.h"
#include "tokenizer/json/json_expression.h"
#include "tokenizer/json/tokenizer_json.h"

namespace partita::internal::test {
namespace {

using Catch::Matchers::Contains;
using Json = nlohmann::json;

/// A file of three tokens.
Json small() {
  return {{"model",
           {{"type", "WordLevel"}, {"vocab", {{"a", 0}, {"b", 1}, {"<unk>", 2}}}, {"unk_token", "<unk>"}}}};
}

std::string why_refused(const Json& file) {
  const auto made = read_json_tokenizer(file.dump(), "tokenizer.json");
  return made ? "accepted" : made.error().message;
}

}  // namespace

TEST_CASE("A tokenizer.json that cannot be read is refused by the component's name") {
  struct Row {
    const char* path;   // of the value that is replaced
    const char* value;  // JSON
    const char* message;
  };
  const Row row = GENERATE(
      Row{"", "[]", "is not an object with a \"model\""}, Row{"/model", "{}", "\"vocab\" must be an object"},
      Row{"/model/type", "\"Nothing\"", "model has type 'Nothing', which this version does not know"},
      Row{"/model/vocab", "[]", "model WordLevel: \"vocab\" must be an object"},
      Row{"/model/vocab/a", "-1", "has the token 'a' with an id that is not from 0 to 4194303"},
      Row{"/model/vocab/a", "4194304", "has the token 'a' with an id that is not from 0 to 4194303"},
      Row{"/model/vocab/a", "1", "gives id 1 to two tokens"},
      Row{"/model/unk_token", "7", "\"unk_token\" must be a string"},
      Row{"/model", R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]})", "has at 0 'a' and 'b'"},
      Row{"/model", R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]})",
          "neither two tokens with a space"},
      Row{"/model", R"({"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]})",
          "neither two tokens with a space"},
      Row{"/model", R"({"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1})", "has dropout"},
      Row{"/model", R"({"type": "Unigram", "vocab": [["a", 0]], "unk_id": 1})",
          "\"unk_id\" must be a whole number"},
      Row{"/model", R"({"type": "Unigram", "vocab": [["a", "b"]]})", "pairs of a spelling and a score"},
      Row{"/added_tokens", "{}", "added_tokens is not an array"},
      Row{"/added_tokens", R"([{"content": "c"}])", "\"id\" must be a whole number from 0 to 4194303"},
      Row{"/normalizer", R"({"type": "None"})",
          "normalizer has type 'None', which this version does not know"},
      Row{"/version", "\"2.0\"", "\"version\" is '2.0'; this version of partita reads \"1.0\""},
      Row{"/normalizer", "3", "normalizer has no \"type\""},
      Row{"/normalizer",
          R"({"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"Regex": "("},
          "content": ""}]})",
          "normalizer Replace: the regular expression '(' cannot be used"},
      Row{"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "AAAA"})",
          "is not a table of SentencePiece"},
      Row{"/pre_tokenizer", R"({"type": "UnicodeScripts"})", "pre_tokenizer has type 'UnicodeScripts'"},
      Row{"/pre_tokenizer",
          R"({"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated", "invert": false})",
          "\"pattern\" must be"},
      Row{"/pre_tokenizer",
          R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Left", "invert": false})",
          "\"behavior\" is 'Left'"},
      Row{"/pre_tokenizer", R"({"type": "Metaspace", "replacement": "ab"})",
          "\"replacement\" must be one character"},
      Row{"/pre_tokenizer", R"({"type": "FixedLength", "length": 0})",
          "\"length\" must be a whole number from 1"},
      Row{"/post_processor", R"({"type": "TemplateProcessing", "single": [], "special_tokens": {}})",
          "\"single\" must have sequence A"},
      Row{"/post_processor", R"({"type": "BertProcessing", "cls": ["a", 3], "sep": ["b", 1]})",
          "whose id is not below 3"},
      Row{"/decoder", R"({"type": "Strip", "content": "a", "start": 0})", "\"stop\" must be a whole number"});
  INFO(row.path << " " << row.value);
  Json file = small();
  file[Json::json_pointer(row.path)] = Json::parse(row.value);
  CHECK_THAT(why_refused(file), Contains(row.message));
}

TEST_CASE("A tokenizer.json may nest and repeat, within limits") {
  Json deep = {{"type", "NFC"}};
  for (int i = 0; i < 60; ++i) deep = {{"type", "Sequence"}, {"normalizers", {deep}}};
  Json file = small();
  file["normalizer"] = deep;
  CHECK_THAT(why_refused(file), Contains("100"));
  CHECK(why_refused(small()) == "accepted");
  file = small();
  file["added_tokens"] = {{{"id", 5}, {"content", std::string(4097, 'x')}}};
  CHECK_THAT(why_refused(file), Contains("has more than 4096 bytes"));
}

TEST_CASE("Expressions keep their meaning or are refused") {
  struct Row {
    const char* given;
    const char* translated;  // null: refused
  };
  const Row row =
      GENERATE(Row{"a|b", "a|b"}, Row{R"(\d+)", R"([\p{Nd}]+)"}, Row{R"(\H)", "[^0-9a-fA-F]"},
               Row{R"([\h.])", "[0-9a-fA-F.]"}, Row{R"(\p{^Zs}++)", R"([^\p{Zs}]++)"},
               Row{R"([\p{^Zs}a])", R"([\P{Zs}a])"}, Row{R"(\u00e9\v)", R"(\x{00e9}\x0b)"},
               Row{"(?m:.)(?=a)", "(?s:.)(?=a)"}, Row{"(?i)a", "(?i)a"}, Row{"a(?i)b|c", nullptr},
               Row{"[a&&b]", nullptr}, Row{"[a[b]]", nullptr}, Row{"a{2}+", nullptr},
               Row{R"((a)\k<1>)", nullptr}, Row{"(?<n>a)", nullptr}, Row{"(?R)", nullptr},
               Row{"(*FAIL)", nullptr}, Row{R"([\W])", nullptr}, Row{"[a", nullptr}, Row{"\\", nullptr});
  INFO(row.given);
  const auto made = translate_expression(row.given);
  CHECK(made.ok() == (row.translated != nullptr));
  if (made) CHECK(*made == row.translated);
  if (!made) CHECK_THAT(made.error().message, Contains("cannot translate"));
}

TEST_CASE("Bytes that are not UTF-8 become byte tokens or U+FFFD") {
  Json file = small();
  file["model"] = {
      {"type", "BPE"}, {"vocab", {{"\uFFFD", 0}, {"<0xFF>", 1}, {"a", 2}}}, {"merges", Json::array()}};
  const auto ids = [&](bool falls_back) {
    file["model"]["byte_fallback"] = falls_back;
    const auto made = read_json_tokenizer(file.dump(), "tokenizer.json");
    REQUIRE(made.ok());
    return encode(**made, "a\xFF");
  };
  CHECK(ids(true) == Ids{2, 1});
  CHECK(ids(false) == Ids{2, 0});
}

TEST_CASE("An expression that takes too many steps is an error") {
  Json file = small();
  file["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", "(a|aa)+$"}}}, {"behavior", "Isolated"}, {"invert", false}};
  const auto made = read_json_tokenizer(file.dump(), "tokenizer.json");
  REQUIRE(made.ok());
  Ids out;
  const auto encoded = (*made)->encode(std::string(200, 'a') + "b", Specials::kAsText, out);
  CHECK_FALSE(encoded.ok());
  CHECK(out.empty());
}

namespace {

Json replace(const Json& pattern, std::string content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", std::move(content)}};
}

Json sequence(const char* key, const Json& step, std::size_t count) {
  return {{"type", "Sequence"}, {key, std::vector<Json>(count, step)}};
}

std::string why_not_encoded(const Json& file, const std::string& text) {
  const auto made = read_json_tokenizer(file.dump(), "tokenizer.json");
  if (!made) return made.error().message;
  Ids out;
  const auto done = (*made)->encode(text, Specials::kAsText, out);
  return done ? "encoded" : done.error().message;
}

}  // namespace

TEST_CASE("Components that make a text many times longer are errors") {
  const Json hundredfold = replace({{"String", "a"}}, std::string(100, 'a'));
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  Json file = small();
  file["normalizer"] = sequence("normalizers", hundredfold, 2);
  CHECK(why_not_encoded(file, "a") == "encoded");
  CHECK_THAT(why_not_encoded(file, std::string(10, 'a')), Contains("grow beyond its limit of 65856 bytes"));
  file["normalizer"] = sequence("normalizers", hundredfold, 65);
  CHECK_THAT(why_refused(file), Contains("has 65 components; it may have 64"));

  file = small();
  file["pre_tokenizer"] = sequence("pretokenizers", bytes, 24);
  CHECK_THAT(why_not_encoded(file, "\xC3\xA9"), Contains("grow beyond its limit of 65600 bytes"));

  file = small();
  file["normalizer"] = sequence("normalizers", hundredfold, 2);
  file["added_tokens"] = {{{"id", 3}, {"content", "xa"}}};
  CHECK_THAT(why_refused(file), Contains("added_tokens: tokenizer.json makes a text grow beyond its limit"));

  file = small();
  file["decoder"] = sequence("decoders", replace({{"String", "a"}}, std::string(8, 'a')), 2);
  CHECK(why_refused(file) == "accepted");
  file["decoder"] = sequence("decoders", replace({{"String", "a"}}, std::string(8, 'a')), 3);
  CHECK_THAT(why_refused(file), Contains("decoder can make a text more than 64 times longer"));
  file["decoder"] = replace({{"Regex", "a*"}}, std::string(64, 'a'));
  CHECK_THAT(why_refused(file), Contains("decoder can make a text more than 64 times longer"));
}

TEST_CASE("An expression that looks through the text at each match is an error") {
  const auto found = [](const char* pattern, const std::string& text) {
    const auto expression = JsonExpression::compile(pattern);
    REQUIRE(expression.ok());
    std::vector<Stretch> stretches;
    const auto done = expression->find(text, stretches);
    return done ? std::to_string(stretches.size()) : done.error().message;
  };
  const std::size_t size = 400000;
  CHECK_THAT(found("a(?=[^b]*b)|a", std::string(size, 'a')), Contains("match limit exceeded"));
  CHECK(found("a(?=[^b]*b)|a", std::string(5000, 'a')) == "5000");
}

TEST_CASE("Matches longer than a window of the search are found whole") {
  const auto expression = JsonExpression::compile(R"(\p{L}+|\s+(?!\S)|\s+|x?$|\b1|c)");
  REQUIRE(expression.ok());
  for (const std::size_t size : {4094, 4095, 4096, 4097, 8191, 8192, 8193, 1000000}) {
    const std::size_t letters = size / 2;
    std::string text;
    for (std::size_t i = 0; i < letters; ++i) text += "\u00e9";
    text += std::string(size, ' ') + "1" + std::string(size, '2');
    std::vector<Stretch> all;
    REQUIRE(expression->find(text, all).ok());
    INFO(size);
    const std::size_t spaces = 2 * letters, digit = spaces + size;
    std::vector<std::size_t> ends;
    for (const Stretch& stretch : all) ends.push_back(stretch.end);
    CHECK(ends == std::vector<std::size_t>{spaces, digit - 1, digit, digit + 1, text.size(), text.size()});
  }
}

TEST_CASE("The text of one token does not depend on what the decoder does to others") {
  Json file = small();
  file["decoder"] = {{"type", "Sequence"},
                     {"decoders", {{{"type", "Fuse"}}, replace({{"String", "a"}}, "xyz")}}};
  const auto made = read_json_tokenizer(file.dump(), "tokenizer.json");
  REQUIRE(made.ok());
  CHECK((*made)->piece(0) == "xyz");
  CHECK((*made)->piece(1) == "b");
  CHECK((*made)->decode(Ids{1, 0, 1}) == "bxyzb");
}

}  // namespace partita::internal::test
