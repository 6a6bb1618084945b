// Instruction sets, those of each architecture in order of preference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace partita::internal {

/// Within an architecture, each includes those before it. kVnni: AVX-512 with vpdpwssd; kVnniWinograd: the
/// same with fewer multiplications and more additions (matmul_winograd.h), the same bits; kAmx: kVnni plus
/// bf16 tiles; kNeonDot: NEON with byte dot products. kAmxEmulated is separate: the route of kAmx (prompts
/// through oneDNN in bf16) on any processor with AVX-512, for tests. It is slow, and used only if it is
/// forced.
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

/// The instruction sets that this processor and operating system can run and that a model may choose, lowest
/// first. Always contains kScalar.
std::vector<Isa> supported_isas();

/// Whether supported_isas() contains it, or it is kAmxEmulated and the processor has AVX-512.
bool can_run(Isa isa);

/// The instruction set of this architecture with this name.
std::optional<Isa> find_isa(std::string_view name);

/// All names that find_isa() knows, for messages: "scalar, avx2, ...".
std::string isa_names();

}  // namespace partita::internal
