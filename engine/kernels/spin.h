// Waiting for another thread: spins first, then sleeps on a futex.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>

namespace partita::internal {

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until done() is true, at most for `most`; returns done(). Reads the clock a few microseconds after
/// the start at the earliest, and then calls see(now).
template <class Done, class See>
bool spin(std::chrono::nanoseconds most, Done&& done, See&& see) {
  constexpr int kBetween = 64;  // iterations between clock reads
  const auto some = [&] {
    for (int i = 0; i < kBetween; ++i) {
      if (done()) return true;
      relax();
    }
    return false;
  };
  if (some()) return true;
  const auto start = std::chrono::steady_clock::now();
  see(start);
  while (!some()) {
    if (std::chrono::steady_clock::now() - start >= most) return done();
  }
  return true;
}

/// Sleeps while the word has this value, unless it is woken before. May return early.
inline void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  static_assert(sizeof word == sizeof value);
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

inline void wake_all(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace partita::internal
