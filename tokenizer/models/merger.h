// Byte-pair merging in O(n log n): a linked list of symbols and a heap of candidate merges.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
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
    link();
    considered_ = 0;
    candidates_.clear();
    for (std::size_t i = 1; i < symbols.size(); ++i) consider(static_cast<std::int32_t>(i) - 1, merge_of);
    std::make_heap(candidates_.begin(), candidates_.end(), later);
    while (!candidates_.empty()) {
      std::pop_heap(candidates_.begin(), candidates_.end(), later);
      const Candidate candidate = candidates_.back();
      candidates_.pop_back();
      if (!join(candidate)) continue;
      for (const std::int32_t left : {symbols[index(candidate.left)].previous, candidate.left}) {
        if (consider(left, merge_of)) std::push_heap(candidates_.begin(), candidates_.end(), later);
      }
    }
    return considered_;
  }

 private:
  struct Candidate {
    Merge merge;
    std::int32_t left;
    std::uint32_t length;  // total length of both symbols when the candidate was added
  };

  static std::size_t index(std::int32_t i) { return static_cast<std::size_t>(i); }

  static bool later(const Candidate& a, const Candidate& b) {
    return a.merge.rank != b.merge.rank ? a.merge.rank > b.merge.rank : a.left > b.left;
  }

  void link() {
    const auto count = static_cast<std::int32_t>(symbols.size());
    for (std::int32_t i = 0; i < count; ++i) {
      symbols[index(i)].previous = i - 1;
      symbols[index(i)].next = i + 1 < count ? i + 1 : -1;
    }
  }

  template <class MergeOf>
  bool consider(std::int32_t left, MergeOf& merge_of) {
    if (left < 0 || symbols[index(left)].next < 0) return false;
    const Symbol& a = symbols[index(left)];
    const Symbol& b = symbols[index(a.next)];
    ++considered_;
    const std::optional<Merge> merge = merge_of(a, b);
    if (merge) candidates_.push_back({*merge, left, a.length + b.length});
    return merge.has_value();
  }

  /// False if the candidate is stale: one of its symbols has changed. Symbols only grow, so equal lengths
  /// mean equal symbols.
  bool join(const Candidate& candidate) {
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

  std::vector<Candidate> candidates_;  // a heap, the next merge on top
  std::size_t considered_ = 0;
};

}  // namespace partita::internal
