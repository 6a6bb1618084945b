// Any bytes as a safetensors file and as the index of several; what the fuzz target and a test of every cut
// and bit share.
#pragma once

#include "tests/fuzz/targets.h"

namespace partita::fuzz {

/// Reads all that is accepted to its end; whether the file was. Aborts where a view leaves the file.
bool run_safetensors_case(Bytes bytes);

}  // namespace partita::fuzz
