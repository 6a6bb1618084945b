#include "tests/faults/sweep.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/sanitized.h"
#include "weights/catch_all.h"

namespace partita::internal::testing {
namespace {

using test::Exhaustion;
using test::FailingAllocation;

/// Sanitized programs run ten times as long, so a sweep has fewer positions.
constexpr std::size_t kSanitizedPositions = 60;

constexpr std::size_t kKeptBytes = std::size_t{32} << 10;

struct Counts {
  std::size_t failed = 0, unharmed = 0;
};

/// How many allocations an undisturbed call makes.
std::size_t count_allocations(const SweptCall& call) {
  constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max() - 1;
  const FailingAllocation none(kNever, Exhaustion::kOnce);
  REQUIRE(call());
  return FailingAllocation::attempts_so_far();
}

/// One position. Under a FailingAllocation nothing of the test itself may allocate, Catch2 included.
bool fails_well(const SweptCall& call, std::size_t n, Exhaustion exhaustion, const std::string& expected,
                Counts& counts) {
  std::string got;
  ErrorCode code = ErrorCode::kOutOfMemory;
  bool ok = false;
  std::string message;
  {
    const FailingAllocation failing(n, exhaustion);
    Result<std::string> result = catch_all(call);  // the text of what came is the test's to allocate
    ok = result.ok();
    if (ok) {
      got = std::move(*result);
    } else {
      code = result.error().code;
      message = result.error().message;
    }
  }
  ++(ok ? counts.unharmed : counts.failed);
  if (ok ? got == expected : code == ErrorCode::kOutOfMemory) return true;
  CAPTURE(n, exhaustion == Exhaustion::kLasting, ok, got, message);
  CHECK(false);
  return false;
}

}  // namespace

void sweep_allocations(const std::string& name, const SweptCall& call, SweepLimits limits) {
  CAPTURE(name);
  auto first = call();  // what is made once in a program is made now
  INFO((first ? "" : first.error().message));
  REQUIRE(first);
  const std::string expected = *first;
  const std::size_t allocations = count_allocations(call);
  const std::size_t live = test::live_allocated_bytes();
  const std::size_t most = std::min(limits.positions, test::all_or(limits.positions, kSanitizedPositions));
  const std::size_t stride = allocations / most + 1;
  std::size_t positions = 0;
  for (const Exhaustion exhaustion : {Exhaustion::kOnce, Exhaustion::kLasting}) {
    if (exhaustion == Exhaustion::kLasting && !limits.lasting) continue;
    Counts counts;
    for (std::size_t n = 0; n < allocations; n += stride, ++positions) {
      if (!fails_well(call, n, exhaustion, expected, counts)) return;
      auto again = call();
      CAPTURE(n, exhaustion == Exhaustion::kLasting);
      INFO((again ? "" : again.error().message));
      REQUIRE(again);
      REQUIRE(*again == expected);
    }
    std::printf("%s, %s: %zu allocations, %zu positions, %zu out of memory, %zu unharmed\n", name.c_str(),
                exhaustion == Exhaustion::kOnce ? "one fails" : "all fail from one on", allocations,
                counts.failed + counts.unharmed, counts.failed, counts.unharmed);
  }
  CHECK(positions > 0);
  // Buffers that are kept may have grown by other steps. Leaks are LeakSanitizer's to find, but for those of
  // whole pages or models.
  CHECK(test::live_allocated_bytes() <= live + kKeptBytes);
}

}  // namespace partita::internal::testing
