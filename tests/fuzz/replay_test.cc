// Replays the corpus of every target, so that every test run covers what the fuzzers have reached. An input
// that violates an invariant aborts the program.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/catch.h"
#include "tests/fuzz/targets.h"
#include "tests/sanitized.h"

namespace partita::internal::fuzz {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> corpus_of(const Target& target) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(PARTITA_FUZZ_CORPUS) / target.name))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

TEST_CASE("Every target takes its corpus, and nothing") {
  for (const Target& target : targets()) {
    INFO(target.name);
    target.run({});
    const auto files = corpus_of(target);
    REQUIRE_FALSE(files.empty());
    for (std::size_t i = 0; i < files.size(); i += test::all_or(1, 4)) {
      std::ifstream file(files[i], std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      INFO(files[i].string());
      target.run(std::as_bytes(std::span(bytes)));
    }
  }
}

TEST_CASE("Targets are found by name") {
  for (const Target& target : targets()) CHECK(find_target(target.name) == &target);
  CHECK(find_target("nothing") == nullptr);
  CHECK(std::is_sorted(targets().begin(), targets().end(),
                       [](const Target& a, const Target& b) { return a.name < b.name; }));
}

}  // namespace
}  // namespace partita::internal::fuzz
