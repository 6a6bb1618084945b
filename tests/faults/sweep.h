// Fault injection: repeats a call with the nth allocation failing, for every n.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "partita/result.hpp"

namespace partita::internal::testing {

/// Makes a public call; its result as text, the same each time, or its error. It is called repeatedly, and
/// objects that it uses may live from one call to the next.
using SweptCall = std::function<Result<std::string>()>;

struct SweepLimits {
  std::size_t positions = 100'000;  // about this many allocations fail, if a call makes more
  bool lasting = true;              // also all allocations from one on
};

/// Makes allocation n of the call fail, once and lastingly, for n = 0, 1, .. to the call's last allocation.
/// Checks that the call then fails with kOutOfMemory or is not harmed at all, that the same call afterwards
/// gives what it gave before, and that no memory is lost. Prints how many positions there were.
void sweep_allocations(const std::string& name, const SweptCall& call, SweepLimits limits = {});

}  // namespace partita::internal::testing
