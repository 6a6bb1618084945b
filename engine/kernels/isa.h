// Instruction sets, those of each architecture in order of preference, and the choice made once per process
// start or model load.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "partita/result.hpp"

namespace partita {

/// Of one architecture, each includes those before it. kVnni: AVX-512 with vpdpwssd;
/// kVnniWinograd: the same with fewer multiplications and more additions (matmul_winograd.h), the same bits;
/// kAmx: kVnni plus bf16 tiles; kNeonDot: NEON with dot products of bytes. kAmxEmulated stands apart: the
/// route of kAmx (prompts through oneDNN in bf16) on any processor with AVX-512, for tests. It is slow, and
/// never chosen unless it is forced.
enum class Isa : std::uint8_t {
  kScalar,
  kAvx2,  // x86-64
  kAvx512,
  kVnni,
  kVnniWinograd,
  kAmx,
  kNeon,  // aarch64
  kNeonDot,
  kAmxEmulated,  // x86-64
};

std::string_view name(Isa isa);

/// Whether prompts go through oneDNN in bf16 (tile_products.h) and generated tokens do not.
constexpr bool uses_tiles(Isa isa) { return isa == Isa::kAmx || isa == Isa::kAmxEmulated; }

/// What this processor and operating system can run and a model may choose by itself, lowest first. Always
/// holds kScalar.
std::vector<Isa> supported_isas();

/// Whether supported_isas() holds it, or it is kAmxEmulated and the processor has AVX-512.
bool can_run(Isa isa);

/// The best supported one (of kVnni and kVnniWinograd the faster, by trial.h), or the one that PARTITA_ISA
/// asks for: scalar|avx2|avx512|vnni|vnni-winograd|amx|amx-emulated on x86-64, scalar|neon|neon-dot on
/// aarch64. Errors: kInvalidArgument for a name this architecture does not know, kUnsupported for one this
/// processor lacks.
Result<Isa> choose_isa();

/// Whether PARTITA_ISA asks for one.
bool isa_is_forced();

}  // namespace partita
