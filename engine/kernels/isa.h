// Instruction sets, in order of preference, and the choice made once per process start or model load.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "partita/result.hpp"

namespace partita {

/// Each includes those before it. kVnni: AVX-512 with vpdpwssd; kAmx: kVnni plus bf16 tiles.
enum class Isa : std::uint8_t { kScalar, kAvx2, kAvx512, kVnni, kAmx };

std::string_view name(Isa isa);

/// What this processor and operating system can run, lowest first. Always holds kScalar.
std::vector<Isa> supported_isas();

/// The best supported one, or the one that PARTITA_ISA=scalar|avx2|avx512|vnni|amx asks for.
/// Errors: kInvalidArgument for an unknown name, kUnsupported for one this processor lacks.
Result<Isa> choose_isa();

}  // namespace partita
