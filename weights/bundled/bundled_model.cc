#include "weights/bundled/bundled_model.h"

#ifdef PARTITA_BUNDLED_MODEL

// The assembler puts the file between the two symbols; PARTITA_BUNDLED_MODEL is its path, from CMake.
asm(".pushsection .rodata\n"
    ".balign 64\n"
    ".hidden partita_bundled_begin\n"
    ".globl partita_bundled_begin\n"
    "partita_bundled_begin:\n"
    ".incbin \"" PARTITA_BUNDLED_MODEL
    "\"\n"
    ".hidden partita_bundled_end\n"
    ".globl partita_bundled_end\n"
    "partita_bundled_end:\n"
    ".popsection\n");

extern "C" {
extern const std::byte partita_bundled_begin[] __attribute__((visibility("hidden")));
extern const std::byte partita_bundled_end[] __attribute__((visibility("hidden")));
}

namespace partita::internal {

std::span<const std::byte> bundled_model() { return {partita_bundled_begin, partita_bundled_end}; }

}  // namespace partita::internal

#else

namespace partita::internal {

std::span<const std::byte> bundled_model() { return {}; }

}  // namespace partita::internal

#endif
