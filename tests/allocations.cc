#include "tests/allocations.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

namespace {

using partita::internal::test::Exhaustion;

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

std::atomic<std::size_t> live_bytes{0};
std::atomic<std::size_t> peak_live_bytes{0};
std::atomic<std::size_t> allocations{0};

// State of FailingAllocation.
std::atomic<std::size_t> first_failure{kNever};
std::atomic<std::size_t> attempts{0};
std::atomic<bool> failures_last{false};

void* counted_allocate(std::size_t size) noexcept {
  if (partita::internal::test::allocation_fails()) return nullptr;
  ++allocations;
  void* memory = std::malloc(std::max<std::size_t>(size, 1));
  const std::size_t now = live_bytes += malloc_usable_size(memory);
  if (now > peak_live_bytes) peak_live_bytes = now;
  return memory;
}

void* allocate_or_throw(std::size_t size) {
  void* memory = counted_allocate(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void counted_free(void* memory) noexcept {
  live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

// Replaces every form without an alignment: those of AddressSanitizer do not call one another.
void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted_allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted_allocate(size); }
void operator delete(void* memory) noexcept { counted_free(memory); }
void operator delete[](void* memory) noexcept { counted_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { counted_free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { counted_free(memory); }

namespace partita::internal::test {

AllocationWatch::AllocationWatch() : before_(live_bytes), count_before_(allocations) {
  peak_live_bytes = before_;
}

std::size_t AllocationWatch::peak_bytes() const { return peak_live_bytes - before_; }

std::size_t AllocationWatch::count() const { return allocations - count_before_; }

std::size_t live_allocated_bytes() { return live_bytes; }

bool allocation_fails() noexcept {
  const std::size_t failing = first_failure.load(std::memory_order_relaxed);
  if (failing == kNever) return false;
  const std::size_t attempt = attempts.fetch_add(1, std::memory_order_relaxed);
  return attempt == failing || (attempt > failing && failures_last.load(std::memory_order_relaxed));
}

FailingAllocation::FailingAllocation(std::size_t fails, Exhaustion exhaustion) {
  attempts = 0;
  failures_last = exhaustion == Exhaustion::kLasting;
  first_failure = fails;
}

FailingAllocation::~FailingAllocation() { first_failure = kNever; }

std::size_t FailingAllocation::attempts_so_far() { return attempts; }

}  // namespace partita::internal::test
