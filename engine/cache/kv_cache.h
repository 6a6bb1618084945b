// The cache of one sequence: a page table over the pool. Sequences share the pages of a common prefix; a
// shared page is copied before it is written (copy-on-write).
//
// Fixed states are never written in place: a step reads the state before its tokens and writes the state
// after them, so a step that fails or is cancelled changes nothing. The states at page borders that steps
// pass are kept as snapshots, to which truncate() returns.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/cache/kv_pool.h"
#include "partita/result.hpp"

namespace partita::internal {

class AdapterSet;

/// The pages of one class, 64 tokens each. Of a fixed class, page i is the snapshot after 64 (i + 1) tokens,
/// or null.
struct PageTable {
  std::vector<CachePage*> pages;  // null in [KvPool::sink_pages(), first_page)
  std::size_t first_page = 0;     // earlier pages, except sinks, are outside the window and not held
};

/// The states of one layer around a step. [FixedShape::bytes] each.
struct StateStep {
  const std::byte* before = nullptr;  // null: zeros
  std::byte* after = nullptr;
  std::byte* snapshot =
      nullptr;  // the state after `snapshot_tokens` tokens of the step; null: none is wanted
  std::size_t snapshot_tokens = 0;  // fewer than the step has
};

/// The view of one sequence into the pool: a page table per class and a length. Movable. The destructor
/// releases the pages.
class KvSequence {
 public:
  explicit KvSequence(KvPool& pool);
  KvSequence(KvSequence&&) noexcept;
  KvSequence& operator=(KvSequence&&) noexcept;
  ~KvSequence();

  /// Config::rope_limit() of the tokens that it may get: its keys are rotated for that. A change removes all
  /// tokens. A fork has the value of its origin.
  std::uint32_t rope_limit() const;
  void set_rope_limit(std::uint32_t limit);

  /// The adapters that its keys and values are computed with; null: none. Another set (AdapterSet::key())
  /// removes all tokens. A fork has the set of its origin.
  const AdapterSet* adapters() const;
  std::shared_ptr<const AdapterSet> shared_adapters() const;
  void set_adapters(std::shared_ptr<const AdapterSet> adapters);
  std::uint64_t adapters_key() const;  // AdapterSet::key(); 0: none

  /// Tokens whose keys and values are stored.
  std::size_t length() const;

  /// Allocates slots for tokens [length(), length() + n): new pages, and a private copy of a shared page
  /// before it is written (copy-on-write). Error: kOutOfMemory with the bytes needed and the budget; length
  /// and contents are then unchanged.
  Result<void> reserve(std::size_t n);

  /// Adds n tokens to the length, after a step wrote them. Precondition: reserved, and not forked since; with
  /// fixed states, n is what was reserved last.
  void advance(std::size_t n);

  /// Removes the tokens from `length` on and releases their pages, reserved pages too. If `length` is below
  /// truncation_floor(), all tokens are removed and length() is 0. With fixed states, tokens are removed up
  /// to the last snapshot at or before `length`: length() may be shorter than asked for.
  void truncate(std::size_t length);

  /// Keeps the newest snapshot of fixed states beyond those that steps keep, so that truncate() can return to
  /// it; the one that was kept before is released. It goes with the tokens that it follows, or when reserve()
  /// needs its memory.
  void keep_snapshot();

  /// Releases the pages that no token from length() - `back` on attends to, because they are outside the
  /// sliding window of their layers, and the snapshots that such a truncate() does not return to. `back` is
  /// the largest number of tokens that truncate() may remove later; this call raises truncation_floor().
  void release_unseen(std::size_t back = 0);

  /// The shortest length other than 0 that truncate() can restore; 0 unless release_unseen() released pages.
  /// With fixed states, the length of the oldest snapshot, or length() if none is held.
  std::size_t truncation_floor() const;

  /// A copy of the sequence. It shares every page until one of the two writes (copy-on-write).
  KvSequence fork() const;

  /// The page of class `cls` that holds tokens [64 i, 64 i + 64); null if release_unseen() released it. The
  /// contents of slots from length() on are unspecified: zeros in a new page, old keys and values in a reused
  /// one.
  std::byte* page(std::size_t cls, std::size_t i) const;

  /// The states of layer `layer` around a step of n tokens. Precondition: reserve(n).
  StateStep state_step(std::size_t layer, std::size_t n) const;

  /// The fixed states after length() tokens; null: zeros, or the model has none.
  CachePage* state() const;

  /// The first page of a class that the sequence holds, sinks not counted.
  std::size_t first_page(std::size_t cls) const;

  /// Replaces the contents: `length` tokens in `tables`, and `state` after them, whose references (one per
  /// page) this sequence takes over. tables: [classes], pages_for(length) pages each.
  void adopt_pages(std::size_t length, std::vector<PageTable> tables, CachePage* state);

  /// The page itself, to be shared; null like page().
  CachePage* held(std::size_t cls, std::size_t i) const;
  /// Replaces the page by an identical one, `page`, and adjusts the reference counts of both.
  void exchange(std::size_t cls, std::size_t i, CachePage* page);

  KvPool& pool() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace partita::internal
