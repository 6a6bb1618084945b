// IdTable: has() is true exactly for the ids that were set, at every load factor.
#include "tools/batch/batch_ledger.h"

#include "tests/catch.h"

namespace tools::test {
namespace {

TEST_CASE("A table of ids holds what was set and nothing else, at every size") {
  IdTable table;
  const auto id = [](int n) { return hash128("row " + std::to_string(n)); };
  CHECK_FALSE(table.has(id(0), IdTable::kRead));
  for (int n = 0; n < 5000; ++n) {
    const IdTable::Mark mark = n % 2 == 0 ? IdTable::kRead : IdTable::kWritten;
    REQUIRE_FALSE(table.set(id(n), mark));
    REQUIRE(table.has(id(n), mark));
    REQUIRE_FALSE(
        table.has(id(n + 1), IdTable::kRead));  // the search would not end in a table without a free slot
    REQUIRE_FALSE(table.has(id(n + 1), IdTable::kWritten));
  }
  for (int n = 0; n < 5000; ++n) {
    REQUIRE(table.has(id(n), IdTable::kRead) == (n % 2 == 0));
    REQUIRE(table.has(id(n), IdTable::kWritten) == (n % 2 == 1));
    REQUIRE(table.set(id(n), IdTable::kRead) == (n % 2 == 0));
  }
}

}  // namespace
}  // namespace tools::test
