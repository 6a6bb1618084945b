// Granite 3, mixtures of experts (IBM 2024), also with a shared expert.
#include "engine/models/family.h"
#include "engine/models/granite.h"

namespace partita::internal::models::granitemoe {

extern const Family family = {.name = "granitemoe", .read = read_granite, .layer = granite_layer};

}  // namespace partita::internal::models::granitemoe
