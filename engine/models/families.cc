#include "engine/models/families.h"

#include <algorithm>
#include <array>

namespace partita::internal {
namespace models {

#include "models_table.inc"  // kTable, and the declarations of what it holds

}  // namespace models

std::span<const Family* const> families() { return models::kTable; }

const Family* find_family(std::string_view name) {
  const auto all = families();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Family* f) { return f->name == name; });
  return found == all.end() ? nullptr : *found;
}

}  // namespace partita::internal
