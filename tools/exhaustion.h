// What the program does where memory runs out: it stops in order, with one sentence.
#pragma once

#include <partita/result.hpp>

namespace tools {

/// Keeps some memory aside that is given back when there is no other, so that what is at hand can be ended in
/// order. Where there is none even then, allocations throw std::bad_alloc; what cannot be told so ends the
/// program with the same sentence and kFailed.
void keep_reserve();

/// Whether the reserve is in use: work ends as soon as it can.
bool memory_ran_out();

/// To be called where an error of exhaustion is shown: what happens after that, on the way out, is not told.
void exhaustion_is_shown();

/// The error of exhaustion; takes no memory.
partita::Error out_of_memory() noexcept;

}  // namespace tools
