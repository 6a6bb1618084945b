#include "api/convert/checkpoint_family.h"

#include <algorithm>
#include <array>

namespace partita::internal {
namespace checkpoints {

#include "convert/checkpoints_table.inc"  // kTable, and the declarations of what it holds

}  // namespace checkpoints

const CheckpointFamily* find_checkpoint_family(std::string_view model_type) {
  const auto& all = checkpoints::kTable;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto* f) { return f->model_type == model_type; });
  return found == all.end() ? nullptr : *found;
}

const CheckpointFamily* find_family_of_architecture(std::string_view architecture) {
  const auto& all = checkpoints::kTable;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto* f) { return f->architecture == architecture; });
  return found == all.end() ? nullptr : *found;
}

std::string checkpoint_family_names() {
  std::string names;
  for (const CheckpointFamily* family : checkpoints::kTable) {
    if (!names.empty()) names += ", ";
    names += family->model_type;
  }
  return names;
}

}  // namespace partita::internal
