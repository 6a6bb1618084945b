// The AVX-512 and VNNI kernels on processors that lack them: the same templates over plain loops for
// instructions.
#include "tests/engine/kernels/emulated_avx512.h"
// Included after the instructions that they use:
#include "engine/kernels/matmul_winograd.h"
#include "engine/kernels/simd_avx512.h"
#include "engine/kernels/simd_vnni.h"
#include "engine/kernels/table_simd.h"
#include "tests/catch.h"
#include "tests/engine/kernels/kernel_checks.h"

namespace partita::internal::test {
namespace {

constexpr Kernels kEmulatedAvx512 = make_table<Avx512>();
constexpr Kernels kEmulatedVnni = make_table<Vnni>();
constexpr Kernels kEmulatedWinograd = make_table<VnniWinograd>();

}  // namespace

TEST_CASE("emulated AVX-512 matches the definition") {
  REQUIRE(supported_isas().back() >= Isa::kAvx2);
  check_products(kEmulatedAvx512);
  check_screen(kEmulatedAvx512);
  check_screen(kEmulatedVnni);
  check_change_basis(kEmulatedAvx512);
  check_elementwise(kEmulatedAvx512);
  check_attention(kEmulatedAvx512);
  check_merge(kEmulatedAvx512);
  check_recurrences(kEmulatedAvx512);
  check_recorded_recurrences(kEmulatedAvx512);
}

TEST_CASE("emulated VNNI has the bits of emulated AVX-512") {
  check_same_bits(kEmulatedVnni, kEmulatedAvx512);
  check_recorded_bits(kEmulatedVnni);
  check_same_bits(kEmulatedWinograd, kEmulatedAvx512);
  check_recorded_bits(kEmulatedWinograd);
}

}  // namespace partita::internal::test
