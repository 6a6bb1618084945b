// A packed matrix with memory of its own, for tests and benchmarks of single matrices.
#pragma once

#include <span>
#include <utility>

#include "engine/kernels/panels.h"

namespace partita::test {

struct OwnedMatrix : PackedMatrix {
  PanelArena arena;
};

/// blocks: the matrix row by row as in a file. Ends the program where allocate_panels has an error.
inline OwnedMatrix pack(Dtype type, std::size_t rows, std::size_t cols, std::span<const std::byte> blocks) {
  OwnedMatrix m;
  static_cast<PackedMatrix&>(m) = *allocate_panels(type, rows, cols, m.arena);
  pack_panels(m, {blocks}, {}, 0, m.panels());
  return m;
}

}  // namespace partita::test
