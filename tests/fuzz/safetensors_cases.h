// Any bytes as a safetensors file and as the index of several; what the fuzz target and its replay in the
// tests share.
#pragma once

#include <cstddef>
#include <span>

namespace partita::test {

/// Reads all that is accepted to its end; whether the file was. Aborts where a view leaves the file.
bool run_safetensors_case(std::span<const std::byte> bytes);

}  // namespace partita::test
