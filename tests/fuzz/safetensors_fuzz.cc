// Fuzz target: any bytes as a safetensors file, and as the index of several.
//
//     cmake --preset fuzz && cmake --build --preset fuzz
//     build/fuzz/safetensors_fuzz -max_len=65536 CORPUS
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/fuzz/safetensors_cases.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  partita::test::run_safetensors_case(std::as_bytes(std::span(data, size)));
  return 0;
}
