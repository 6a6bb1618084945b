#include "sampling/stages/stages.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace partita::internal {
namespace stages {
#include "stages_table.inc"  // declares the stages that CMakeLists.txt lists, and kTable of their addresses
}

std::span<const StageDescriptor* const> known_stages() { return stages::kTable; }

std::span<const Sampler> samplers_of_stages() noexcept {
  static const auto all = [] {
    std::array<Sampler, std::size(stages::kTable)> samplers;
    std::transform(std::begin(stages::kTable), std::end(stages::kTable), samplers.begin(),
                   [](const StageDescriptor* stage) { return stage->sampler; });
    return samplers;
  }();
  return all;
}

}  // namespace partita::internal
