// Cancelling calls from another thread or a signal handler.
#pragma once

#include <atomic>

#include "partita/export.hpp"

namespace partita {

/// Once set, from any thread or a signal handler, running calls end with kCancelled before the next layer. It
/// stays set until clear().
class PARTITA_API CancelFlag {
 public:
  void set() { flag_.store(true, std::memory_order_relaxed); }
  void clear() { flag_.store(false, std::memory_order_relaxed); }
  bool is_set() const { return flag_.load(std::memory_order_relaxed); }
  const std::atomic<bool>& flag() const { return flag_; }

 private:
  std::atomic<bool> flag_{false};
};

}  // namespace partita
