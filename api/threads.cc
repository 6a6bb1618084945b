#include "api/threads.h"

#include <algorithm>

#include "engine/kernels/usable_threads.h"
#include "weights/sentence.h"

namespace partita::internal {

Result<int> resolve_threads(int asked) {
  constexpr int kMaxThreads = 1024;
  if (asked < 0 || asked > kMaxThreads) {
    return invalid("threads is ", asked, "; it must be 1 to ", kMaxThreads,
                   ", or 0 for what the machine grants");
  }
  const int usable = usable_threads();
  return asked == 0 ? usable : std::min(asked, usable);
}

}  // namespace partita::internal
