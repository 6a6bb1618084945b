// Keys and values of one sequence: a page table over the pool, shared page by page with whoever has the same
// beginning.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/cache/kv_pool.h"
#include "partita/result.hpp"

namespace partita {

/// The pages of one class, by 64 tokens.
struct PageTable {
  std::vector<CachePage*> pages;  // null in [KvPool::sink_pages(), first_page)
  std::size_t first_page = 0;     // pages before it, but for sinks, lie behind the window and are not held
};

/// One sequence's view of the pool: a page table per class and a length. Movable; returns its pages when
/// destroyed.
class KvSequence {
 public:
  explicit KvSequence(KvPool& pool);
  KvSequence(KvSequence&&) noexcept;
  KvSequence& operator=(KvSequence&&) noexcept;
  ~KvSequence();

  /// Tokens whose keys and values are stored.
  std::size_t length() const;

  /// Makes room for tokens [length(), length() + n): new pages, and a private copy of a shared page that
  /// would be written. Error: kOutOfMemory with the bytes needed and the budget; length and contents are then
  /// unchanged.
  Result<void> reserve(std::size_t n);

  /// Declares n more tokens stored (after a step wrote them). Precondition: reserved, and not forked since.
  void advance(std::size_t n);

  /// Forgets tokens from `length` on and gives their pages back, reserved ones too. What lies below
  /// truncation_floor() cannot be gone back to: everything is forgotten then, and length() is 0.
  void truncate(std::size_t length);

  /// Gives back pages that no token from length() - `back` on can see, because the windows of their layers
  /// have moved on. For sequences that go back by `back` tokens at most; it raises truncation_floor().
  void release_unseen(std::size_t back = 0);

  /// The shortest length besides 0 that truncate() can go back to; 0 unless release_unseen() gave pages back.
  std::size_t truncation_floor() const;

  /// Another sequence with the same contents, sharing every page until one of them writes.
  KvSequence fork() const;

  /// The page of class `cls` that holds tokens [64 i, 64 i + 64); null if release_unseen() gave it back.
  /// Slots from length() on hold anything: zeros in a new page, old keys and values in one used again.
  std::byte* page(std::size_t cls, std::size_t i) const;

  /// Of the pages of a class, sinks apart, the first that is held.
  std::size_t first_page(std::size_t cls) const;

  /// Takes other contents in place of its own: `length` tokens in pages that this sequence holds from now on,
  /// a reference each. tables: [classes], pages_for(length) pages each.
  void take_over(std::size_t length, std::vector<PageTable> tables);

  /// page(), for who shares it; and another page of the same contents in its place.
  CachePage* held(std::size_t cls, std::size_t i) const;
  void exchange(std::size_t cls, std::size_t i, CachePage* page);

  KvPool& pool() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace partita
