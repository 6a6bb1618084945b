#include "sampling/stages/stages.h"

#include <array>

namespace partita {
namespace stages {
#include "stages_table.inc"  // declares the stages that CMakeLists.txt lists, and kTable of their addresses
}

std::span<const StageDescriptor* const> known_stages() { return stages::kTable; }

Error bad_option(std::string_view name, std::string_view value, std::string_view limits) {
  std::string message(name);
  message.append(" is ").append(value).append(", but it must be ").append(limits);
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

}  // namespace partita
