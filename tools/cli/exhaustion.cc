#include "tools/cli/exhaustion.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

#include "tools/cli/exit_code.h"

namespace tools {
namespace {

constexpr std::size_t kReserveBytes = std::size_t{4} << 20;

struct Reserve {
  std::atomic<void*> memory{nullptr};
  std::atomic<bool> used{false}, shown{false};
};

/// A global of the program: the handlers below need it.
Reserve& reserve() {
  static Reserve the_one;
  return the_one;
}

void give_up_reserve() {
  reserve().used.store(true);
  void* const kept = reserve().memory.exchange(nullptr);
  if (kept == nullptr) throw std::bad_alloc();
  std::free(kept);  // the allocation is tried again
}

/// Destructors that allocate (those of nlohmann::json do) cannot report that memory ran out.
[[noreturn]] void end_program() {
  if (!memory_ran_out()) std::abort();
  constexpr std::string_view kSentence = "partita: no memory left\n";
  if (!reserve().shown.load()) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kSentence.data(), kSentence.size());
  }
  ::_exit(kFailed);
}

}  // namespace

void keep_reserve() {
  reserve().memory.store(std::malloc(kReserveBytes));
  std::set_new_handler(give_up_reserve);
  std::set_terminate(end_program);
}

void exhaustion_is_shown() { reserve().shown.store(true); }

bool memory_ran_out() { return reserve().used.load(std::memory_order_relaxed); }

partita::Error out_of_memory() noexcept {
  return {partita::ErrorCode::kOutOfMemory, "no memory left"};  // fits into std::string without an allocation
}

}  // namespace tools
