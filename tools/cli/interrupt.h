// Signals, and Ctrl-C as a flag.
#pragma once

#include <initializer_list>
#include <partita/cancel.hpp>

namespace tools {

/// Installs a handler that interrupts blocking reads (no SA_RESTART).
void catch_signals(std::initializer_list<int> signals, void (*handler)(int));
/// Set by Ctrl-C once catch_interrupts() was called.
partita::CancelFlag& interrupted();
void catch_interrupts();

}  // namespace tools
