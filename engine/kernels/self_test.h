// The self-test of a kernel table when a model is opened: it compares small products, attention and norms
// with the definition. So a fault of a processor, an emulator or a library is found before an answer depends
// on it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita::internal {

/// What a model needs of a table.
struct KernelUse {
  std::vector<Dtype> types = {};  // of matrices
  std::vector<std::size_t> cols =
      {};  // of the matrices that tiles multiply, where the instruction set has any
  KvType cache = KvType::kF16;
  std::vector<HeadWidths> heads = {{64, 64}};
  std::vector<HeadWidths> latents = {};  // of keys and of their columns that are values
  Gate gate = {};
};

/// The first kernel of a table that differs from kernels(Isa::kScalar) by more than rounding: "matmul of
/// Q4_1". Empty if none does. All random numbers are fixed. Throws std::bad_alloc.
std::string differing_kernel(const Kernels& table, const KernelUse& use);

/// The fault of oneDNN's products in bf16 for matrices of these widths: they differ from the sums of rounded
/// factors by more than float sums can, are not available, or failed. Empty: none. Throws std::bad_alloc.
std::string differing_tiles(const Kernels& table, std::span<const std::size_t> cols);

/// The source of tables and the test of tile products; tests replace them by wrong ones.
struct KernelSource {
  const Kernels& (*table)(Isa) = kernels;
  std::string (*differing_tiles)(const Kernels&, std::span<const std::size_t>) = internal::differing_tiles;
};

struct TestedKernels {
  Isa isa = Isa::kScalar;
  const Kernels* table = nullptr;
  std::string refused;  // "vnni (matmul of Q4_1)": tables that are not used, and why; empty: none
};

/// Selects `first`, or if it differs the next lower table that does not; the scalar table is the definition.
/// forced: a difference is an error, kUnsupported. Precondition: can_run(first), or the source has its table.
Result<TestedKernels> test_kernels(Isa first, bool forced, const KernelUse& use,
                                   const KernelSource& source = {});

}  // namespace partita::internal
