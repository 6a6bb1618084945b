// The program with kernel tables that compute wrong results, as on a faulty processor or emulator. Linked
// with
// --wrap in place of kernels(); the program itself has no such option.
#include <map>

#include "engine/kernels/kernels.h"

namespace partita::internal {

const Kernels& real_kernels(Isa isa) asm("__real__ZN7partita8internal7kernelsENS0_3IsaE");
const Kernels& wrong_kernels(Isa isa) asm("__wrap__ZN7partita8internal7kernelsENS0_3IsaE");

/// Every table but the scalar definition rotates by wrong angles.
const Kernels& wrong_kernels(Isa isa) {
  static const std::map<Isa, Kernels> wrong = [] {
    std::map<Isa, Kernels> tables;
    for (const Isa each : supported_isas()) {
      Kernels table = real_kernels(each);
      table.rope = [](float* x, const float* cos, const float* sin, std::size_t half) {
        real_kernels(Isa::kScalar).rope(x, sin, cos, half);
      };
      if (each != Isa::kScalar) tables.emplace(each, table);
    }
    return tables;
  }();
  const auto found = wrong.find(isa);
  return found == wrong.end() ? real_kernels(isa) : found->second;
}

}  // namespace partita::internal
