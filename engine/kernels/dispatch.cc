#include "engine/kernels/dispatch.h"

#include <cstdlib>
#include <optional>
#include <string>

#include "engine/kernels/tables.h"
#include "engine/kernels/trial.h"

namespace partita::internal {

bool isa_is_forced() {
  const char* wanted = std::getenv("PARTITA_ISA");
  return wanted != nullptr && *wanted != '\0';
}

Result<Isa> choose_isa() {
  const Isa best = supported_isas().back();
  if (!isa_is_forced())
    return best == Isa::kVnniWinograd ? faster(kernels(Isa::kVnni), kernels(best)).isa : best;
  const std::string wanted = std::getenv("PARTITA_ISA");
  const std::optional<Isa> isa = find_isa(wanted);
  if (!isa) {
    return Error{ErrorCode::kInvalidArgument,
                 "PARTITA_ISA is '" + wanted + "'; it must be one of " + isa_names() + "."};
  }
  if (can_run(*isa)) return *isa;
  return Error{ErrorCode::kUnsupported, "PARTITA_ISA asks for " + wanted +
                                            ", but the best that this processor has is " +
                                            std::string(name(best)) + "."};
}

const Kernels& kernels(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2:
      return kAvx2Kernels;
    case Isa::kAvx512:
      return kAvx512Kernels;
    case Isa::kVnni:
    case Isa::kAmx:
      return kVnniKernels;
    case Isa::kAmxEmulated:
      return can_run(Isa::kVnni) ? kVnniKernels : kAvx512Kernels;
    case Isa::kVnniWinograd:
      return kVnniWinogradKernels;
#elif defined(__aarch64__)
    case Isa::kNeon:
      return kNeonKernels;
    case Isa::kNeonDot:
      return kNeonDotKernels;
#endif
    default:
      return kScalarKernels;
  }
}

const Kernels& exact_kernels() { return kExactKernels; }

}  // namespace partita::internal
