// Byte-pair merging in O(n log n): a linked list of symbols and a queue of candidate merges.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tokenizer/lookup.h"

namespace partita::internal {

/// A span of text that is one token so far.
struct Symbol {
  std::uint32_t start;   // in the text
  std::uint32_t length;  // 0: merged into a neighbour
  std::int32_t id;       // -1: no token has this text
  std::int32_t previous = -1;
  std::int32_t next = -1;
};

/// A merge that two adjacent symbols had when it was found.
struct MergeCandidate {
  Merge merge;
  std::int32_t left;
  std::uint32_t length;  // total length of both symbols then

  /// Whether it is merged after `other`.
  bool operator>(const MergeCandidate& other) const {
    return merge.rank != other.merge.rank ? merge.rank > other.merge.rank : left > other.left;
  }
};

/// Candidates in a heap, the next merge on top.
class HeapQueue {
 public:
  bool empty() const { return heap_.empty(); }
  const MergeCandidate& top() const { return heap_.front(); }

  void push(const MergeCandidate& candidate) {
    heap_.push_back(candidate);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  MergeCandidate pop() {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const MergeCandidate next = heap_.back();
    heap_.pop_back();
    return next;
  }

 private:
  std::vector<MergeCandidate> heap_;
};

/// Candidates apart for each rank. A long text has many of each, most of which are found from left to right:
/// these are read one after the other, where a heap of all would jump through memory.
class RankQueue {
 public:
  bool empty() const { return waiting_.empty(); }

  void push(const MergeCandidate& candidate) {
    const auto [found, is_new] = index_of_.try_emplace(candidate.merge.rank, ranks_.size());
    if (is_new) ranks_.emplace_back();
    Rank& rank = ranks_[found->second];
    if (rank.empty()) {
      waiting_.push_back({candidate.merge.rank, found->second});
      std::push_heap(waiting_.begin(), waiting_.end(), std::greater<>());
    }
    if (rank.in_order.empty() || rank.in_order.back().left < candidate.left) {
      rank.in_order.push_back(candidate);
    } else {
      rank.others.push(candidate);
    }
  }

  MergeCandidate pop() {
    Rank& rank = ranks_[waiting_.front().second];
    const MergeCandidate next = rank.pop();
    if (rank.empty()) {
      std::pop_heap(waiting_.begin(), waiting_.end(), std::greater<>());
      waiting_.pop_back();
    }
    return next;
  }

 private:
  struct Rank {
    std::vector<MergeCandidate> in_order;  // from left to right; those before `read` are done
    std::size_t read = 0;
    HeapQueue others;

    bool empty() const { return read == in_order.size() && others.empty(); }

    MergeCandidate pop() {
      const bool has_ordered = read < in_order.size();
      if (!has_ordered || (!others.empty() && in_order[read] > others.top())) return others.pop();
      const MergeCandidate next = in_order[read++];
      if (read == in_order.size()) {
        in_order.clear();
        read = 0;
      }
      return next;
    }
  };

  std::unordered_map<std::uint32_t, std::size_t> index_of_;  // rank -> its place in ranks_
  std::vector<Rank> ranks_;
  std::vector<std::pair<std::uint32_t, std::size_t>>
      waiting_;  // a heap of the ranks with candidates, the lowest on top
};

/// Merges adjacent symbols until no merge applies: lowest rank first, leftmost first among equal ranks. This
/// is the order of byte-level BPE and, with ranks derived from scores, of SentencePiece. Reuse one Merger for
/// many words to reuse its buffers.
class Merger {
 public:
  /// The symbols of one word, left to right; fill before run(). Afterwards the symbols with length > 0 are
  /// the result.
  std::vector<Symbol> symbols;

  /// merge_of(left, right) -> std::optional<Merge>: the merge of two adjacent symbols. Returns the number of
  /// merges considered, at most three per symbol.
  template <class MergeOf>
  std::size_t run(MergeOf&& merge_of) {
    constexpr std::size_t kLong = 1 << 13;
    if (symbols.size() < kLong) return run_with(heap_, merge_of);
    RankQueue queue;
    return run_with(queue, merge_of);
  }

  /// The same with a queue that is empty: HeapQueue or RankQueue.
  template <class Queue, class MergeOf>
  std::size_t run_with(Queue& queue, MergeOf&& merge_of) {
    link();
    considered_ = 0;
    for (std::size_t i = 1; i < symbols.size(); ++i)
      consider(static_cast<std::int32_t>(i) - 1, merge_of, queue);
    while (!queue.empty()) {
      const MergeCandidate candidate = queue.pop();
      if (!join(candidate)) continue;
      consider(symbols[index(candidate.left)].previous, merge_of, queue);
      consider(candidate.left, merge_of, queue);
    }
    return considered_;
  }

 private:
  static std::size_t index(std::int32_t i) { return static_cast<std::size_t>(i); }

  void link() {
    const auto count = static_cast<std::int32_t>(symbols.size());
    for (std::int32_t i = 0; i < count; ++i) {
      symbols[index(i)].previous = i - 1;
      symbols[index(i)].next = i + 1 < count ? i + 1 : -1;
    }
  }

  template <class MergeOf, class Queue>
  void consider(std::int32_t left, MergeOf& merge_of, Queue& queue) {
    if (left < 0 || symbols[index(left)].next < 0) return;
    const Symbol& a = symbols[index(left)];
    const Symbol& b = symbols[index(a.next)];
    ++considered_;
    if (const std::optional<Merge> merge = merge_of(a, b)) queue.push({*merge, left, a.length + b.length});
  }

  /// False if the candidate is stale: one of its symbols has changed. Symbols only grow, so equal lengths
  /// mean equal symbols.
  bool join(const MergeCandidate& candidate) {
    Symbol& a = symbols[index(candidate.left)];
    if (a.length == 0 || a.next < 0) return false;
    Symbol& b = symbols[index(a.next)];
    if (a.length + b.length != candidate.length) return false;
    a.length = candidate.length;
    a.id = candidate.merge.id;
    a.next = b.next;
    if (b.next >= 0) symbols[index(b.next)].previous = candidate.left;
    b.length = 0;
    return true;
  }

  HeapQueue heap_;
  std::size_t considered_ = 0;
};

}  // namespace partita::internal
