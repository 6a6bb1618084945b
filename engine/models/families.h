// The model families.
#pragma once

#include <span>
#include <string_view>

#include "engine/models/family.h"

namespace partita::internal {

/// All families. engine/CMakeLists.txt lists them; each is a constant of that name.
std::span<const Family* const> families();

/// The family of this name, or null.
const Family* find_family(std::string_view name);

}  // namespace partita::internal
