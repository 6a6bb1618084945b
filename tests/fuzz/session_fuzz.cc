// Fuzz target: any bytes as a session file of a tiny model.
//
//     cmake --preset fuzz && cmake --build --preset fuzz
//     build/fuzz/session_fuzz -max_len=65536 CORPUS
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/session_cases.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  partita::testing::run_session_case(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
