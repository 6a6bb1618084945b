// A table of kernels against the definition, when a model is opened: small products, attention, norms. What a
// processor, an emulator of one or a library computes differently is found before any answer rests on it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita {

/// What is about to be asked of a table.
struct KernelUse {
  std::vector<Dtype> types = {};  // of matrices
  std::vector<std::size_t> cols =
      {};  // of the matrices that tiles multiply, where the instruction set has any
  KvType cache = KvType::kF16;
  int head_dim = 64;  // as QueryTile's
  GateFunction gate = GateFunction::kSilu;
};

/// The first kernel of a table that differs from kernels(Isa::kScalar) beyond rounding: "matmul of Q4_1".
/// Empty if none does. Every draw of numbers is fixed. Throws std::bad_alloc.
std::string differing_kernel(const Kernels& table, const KernelUse& use);

/// What is wrong with oneDNN's products in bf16 for matrices of these widths: that they differ from the sums
/// of rounded factors by more than float sums can, that it has none here, or that it failed. Empty if nothing
/// is. Throws std::bad_alloc.
std::string differing_tiles(const Kernels& table, std::span<const std::size_t> cols);

/// Where tables come from and what tests their tiles; tests hand in wrong ones.
struct KernelSource {
  const Kernels& (*table)(Isa) = kernels;
  std::string (*differing_tiles)(const Kernels&, std::span<const std::size_t>) = partita::differing_tiles;
};

struct TestedKernels {
  Isa isa = Isa::kScalar;
  const Kernels* table = nullptr;
  std::string refused;  // "vnni (matmul of Q4_1)": what differs and is not used, with why; empty: nothing
};

/// `first`, or where it differs the next below it that does not; the scalar table is the definition. forced:
/// then it is an error, kUnsupported. Precondition: can_run(first), or the source has its table.
Result<TestedKernels> test_kernels(Isa first, bool forced, const KernelUse& use,
                                   const KernelSource& source = {});

}  // namespace partita
