// The entry point of libFuzzer. One program, linked once, has all targets; the name of the symbolic link that
// starts it chooses the target: build/fuzz/gguf_fuzz is such a link.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/targets.h"

namespace {

using namespace partita::internal::fuzz;

const Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  std::string_view name = (*argv)[0];
  name.remove_prefix(name.rfind('/') + 1);
  chosen = find_target(name.substr(0, name.find("_fuzz")));
  if (chosen != nullptr) return 0;
  std::fprintf(stderr, "start it by the name of a target:\n");
  for (const Target& target : targets())
    std::fprintf(stderr, "  %.*s_fuzz\n", static_cast<int>(target.name.size()), target.name.data());
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run(std::as_bytes(std::span(data, size)));
  return 0;
}
