// Out-of-memory handling: the program stops in an orderly way, with one sentence.
#pragma once

#include <partita/result.hpp>

namespace tools {

/// Reserves some memory, which is freed when an allocation fails, so that running work can be finished. If
/// an allocation fails after that, it throws std::bad_alloc; std::terminate() ends the program with the same
/// sentence and kFailed.
void keep_reserve();

/// True if the reserve is in use: work must end as soon as it can.
bool memory_ran_out();

/// Called when an out-of-memory error was shown: later ones, during the exit, are not shown.
void exhaustion_is_shown();

/// The out-of-memory error; allocates nothing.
partita::Error out_of_memory() noexcept;

}  // namespace tools
