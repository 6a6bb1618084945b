// Any bytes as a safetensors file and as the index of several. Shared by the fuzz target and a test of every
// truncation and bit flip.
#pragma once

#include "tests/fuzz/targets.h"

namespace partita::internal::fuzz {

/// Reads every accepted file to its end; returns whether the file was accepted. Aborts if a view leaves the
/// file.
bool run_safetensors_case(Bytes bytes);

}  // namespace partita::internal::fuzz
