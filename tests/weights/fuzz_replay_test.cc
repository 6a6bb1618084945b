// Runs the fuzz target over a small corpus, so that it keeps working between fuzzing runs.
#include <random>
#include <string>

#include "files.h"
#include "tests/catch.h"
#include "tests/fuzz/targets.h"

using partita::internal::fuzz::run_gguf;
using partita::internal::test::Bytes;

TEST_CASE("the fuzz target runs over the recorded files, whole and mutated") {
  std::mt19937 random(3);
  for (const std::string name :
       {"golden.gguf", "golden_align64.gguf", "golden_big_endian.gguf", "codecs.json"}) {
    const Bytes whole = partita::internal::test::read_recorded(name);
    run_gguf(whole);
    for (int i = 0; i < 200; ++i) {
      Bytes mutated = whole;
      for (int change = 0; change < 4; ++change)
        mutated[random() % mutated.size()] = static_cast<std::byte>(random());
      mutated.resize(random() % 4 == 0 ? random() % mutated.size() : mutated.size());
      run_gguf(mutated);
    }
  }
  run_gguf({});
}
