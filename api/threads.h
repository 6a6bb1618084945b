// The number of threads that an option asks for. Internal to api/.
#pragma once

#include "partita/result.hpp"

namespace partita::internal {

/// 0: what the machine grants; never more than that, which would only be slower. Error: kInvalidArgument.
Result<int> resolve_threads(int asked);

}  // namespace partita::internal
