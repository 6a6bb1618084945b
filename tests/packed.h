// A packed matrix that owns its memory, for tests and benchmarks of single matrices.
#pragma once

#include <span>
#include <utility>

#include "engine/kernels/panels.h"

namespace partita::internal::test {

struct OwnedMatrix : PackedMatrix {
  PanelArena arena;
};

/// blocks: the matrix, row by row, in the file's encoding. Ends the program if allocate_panels fails.
inline OwnedMatrix pack(Dtype type, std::size_t rows, std::size_t cols, std::span<const std::byte> blocks) {
  OwnedMatrix m;
  static_cast<PackedMatrix&>(m) = *allocate_panels(type, rows, cols, m.arena);
  pack_panels(m, {blocks}, {}, 0, m.panels());
  return m;
}

}  // namespace partita::internal::test
