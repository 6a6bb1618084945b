// Runs the fuzz target over random mutations of the recorded templates; sanitizers make it more effective.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support.h"
#include "tests/catch.h"
#include "tests/fuzz/targets.h"

namespace partita::internal::test {
namespace {

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string next() {
    std::string text = seeds_[below(seeds_.size())];
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) change(text);
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }

  void change(std::string& text) {
    if (text.empty()) text = "{{ n }}";
    const std::size_t at = below(text.size());
    const std::size_t length = std::min(text.size() - at, 1 + below(40));
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(below(text.size()), text.substr(at, length));
        break;
      case 3:
        text.insert(at, kWords[below(kWords.size())]);
        break;
      case 4:
        text.replace(at, length, kWords[below(kWords.size())]);
        break;
      default: {
        const std::string& other = seeds_[below(seeds_.size())];
        text.insert(at, other.substr(below(other.size()), length));
      }
    }
  }

  static inline const std::vector<std::string> kWords = {
      "{{",
      "}}",
      "{%",
      "%}",
      "{#",
      "#}",
      "-",
      "+",
      "|",
      "(",
      ")",
      "[",
      "]",
      "{",
      "}",
      "'",
      "\"",
      "\\",
      " if ",
      " else ",
      " in ",
      " is ",
      " not ",
      " and ",
      "**",
      "//",
      "~",
      " % ",
      "[::-1]",
      "[-1]",
      "[1:]",
      "9223372036854775807",
      "0",
      "-1",
      "1e308",
      "none",
      "messages",
      "loop",
      "|tojson",
      "|list",
      "|map('upper')",
      "|sort",
      "|length",
      "|join",
      ".items()",
      ".split()",
      "range(9)",
      "namespace()",
      "caller()",
      "*",
      ".x",
      "{% break %}",
      "{% endif %}",
      "{% endfor %}",
      "{% set x = messages %}",
      "{% macro m() %}",
      "\xFF",
      "\xF0\x9F",
      "\n",
      "\r\n",
  };

  std::vector<std::string> seeds_;
  std::mt19937_64 random_{20250731};
};

TEST_CASE("20,000 mutated templates render or are refused") {
  const Json record = read_record("rendered.json");
  std::vector<std::string> seeds;
  for (const auto& [name, results] : record["rendered"].items()) seeds.push_back(read_data(name));
  const Json snippets = read_record("snippets.json");
  for (const Json& snippet : snippets["snippets"]) {
    seeds.push_back(snippet["source"]);
  }
  Mutator mutator(std::move(seeds));
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutator.next();
    INFO(text);
    fuzz::run_template(std::as_bytes(std::span(text)));
  }
}

}  // namespace
}  // namespace partita::internal::test
