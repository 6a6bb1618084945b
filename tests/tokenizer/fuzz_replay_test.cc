// Runs the fuzz target on generated inputs, so that it runs wherever the tests do.
#include "support.h"
#include "tests/catch.h"
#include "tests/fuzz/targets.h"

namespace partita::internal::test {
namespace {

TEST_CASE("The fuzz target holds on random vocabularies and texts") {
  std::mt19937_64 random(12);
  for (int i = 0; i < 3000; ++i) {
    const std::string input = random_bytes(random, 300);
    fuzz::run_tokenizer(std::as_bytes(std::span(input)));
  }
}

}  // namespace
}  // namespace partita::internal::test
