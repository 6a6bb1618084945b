// What may look at the operations of a forward pass (Engine::watch). Slow: workers wait for each look.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/kernels/region.h"

namespace partita::internal {

struct Linear;
struct Workspace;

/// All workers call each function together.
class StepWatch {
 public:
  static constexpr std::size_t kNoLayer = SIZE_MAX;

  virtual ~StepWatch() = default;

  /// Before the operations of a layer; kNoLayer: those outside of layers.
  virtual void enter(const Worker&, std::size_t) {}

  /// After an operation. values: [rows][cols], of which every row is complete once all workers have arrived.
  /// If there are as many rows as in the step, they are its tokens. `limit`: larger values are infinite in
  /// the type that will hold them; 0: none.
  virtual void look(const Worker&, const Workspace&, std::string_view, const float*, std::size_t, std::size_t,
                    float = 0) {}

  /// Rows that a linear layer is multiplied with: [rows][cols], complete. `matrix`: which of `matrices` in a
  /// stack of experts.
  virtual void input(const Worker&, const Linear&, const float*, std::size_t, std::size_t, std::size_t,
                     std::size_t) {}
};

}  // namespace partita::internal
