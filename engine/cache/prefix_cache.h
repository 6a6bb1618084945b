// The prefix cache (automatic prefix caching): a radix tree of KV cache pages, 64 tokens per node, found by
// content. Sequences with a common prefix compute the prefix once. (RadixAttention, Zheng et al. 2023,
// SGLang, over whole pages; a sequence may share the first part of a page and copies the page when it
// writes.)
//
// The tree keeps pages while memory is free and evicts the least recently used (LRU) page first. A page of a
// global class is evicted only from a leaf, because the pages after it are useless without it. A page of a
// windowed class may be evicted anywhere: a prefix is usable if the window before its end is present. So may
// a snapshot of fixed states: a prefix is usable up to the end of a page with a snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/cache/kv_cache.h"

namespace partita::internal {

/// The prefix cache of one pool. A token is identified by a key. The key covers everything besides the
/// preceding tokens that its keys and values depend on: the id and, if roles compute differently, the role
/// (Scheduler). Sequences share pages with those of the same KvSequence::rope_limit() and
/// KvSequence::adapters_key() alone. Not thread-safe.
class PrefixCache final : public IdlePageCache {
 public:
  /// limit_bytes: the limit for pages that no sequence uses. The pool must outlive the cache.
  PrefixCache(KvPool& pool, std::size_t limit_bytes);
  ~PrefixCache() override;
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  /// Looks up the longest cached prefix of `keys` and, if it is longer than the sequence, replaces the
  /// contents of `sequence` by it. The tokens of `sequence` must be a prefix of `keys`. Returns whether it
  /// did.
  bool reuse_prefix(std::span<const std::int32_t> keys, KvSequence& sequence);

  /// The length of the longest prefix of `keys`, the tokens of `sequence`, in whole pages, that some cached
  /// sequence had. It may be longer than what reuse_prefix() finds: of fixed states, only those at snapshots
  /// are cached.
  std::size_t known_prefix(std::span<const std::int32_t> keys, const KvSequence& sequence);

  /// Adds the whole pages of a sequence, whose tokens have these keys, to the cache. If an identical page is
  /// cached already, the sequence uses that page and releases its own.
  void insert(std::span<const std::int32_t> keys, KvSequence& sequence);

  /// Evicts pages until the limit is met.
  void trim();
  void evict(std::size_t bytes) override;

 private:
  struct Node;
  struct LruEntry {
    Node* node;
    std::size_t cls;
  };
  using LruList = std::list<LruEntry>;  // least recently used first

  struct Node {
    Node* parent = nullptr;
    std::vector<std::int32_t> keys;            // [64]
    std::vector<CachePage*> pages;             // [classes], null: not cached; of a fixed class, the snapshot
                                               // after these tokens
    std::vector<LruList::iterator> lru_entry;  // [classes], valid for cached pages
    std::vector<std::unique_ptr<Node>> children;
  };

  /// The path of nodes, from a child of the root on, that matches a prefix of `keys`. Returns the length of
  /// the match: whole nodes, and possibly a part of the last.
  std::size_t find(const Node& root, std::span<const std::int32_t> keys, std::vector<Node*>& path) const;
  /// The longest usable prefix, at most `length`: all pages that a later token attends to are cached.
  std::size_t usable(std::span<Node* const> path, std::size_t length) const;
  /// Whether a sequence that reuses a prefix of this length can still be written to within the budget: a
  /// partly shared last page must be copied first.
  bool leaves_room_to_write(std::size_t length) const;
  Node& root_of(const KvSequence& sequence) {
    return roots_[{sequence.rope_limit(), sequence.adapters_key()}];
  }
  Node* child(Node& node, std::span<const std::int32_t> keys);
  void cache_page(Node& node, std::size_t index, KvSequence& sequence);
  void touch(Node& node, std::size_t cls);
  void drop_page(Node& node, std::size_t cls);
  /// Whether prefixes need every page of the class, from the first on.
  bool is_whole(std::size_t cls) const;
  bool is_evictable(const LruEntry& entry) const;
  void remove_empty(Node* leaf);

  KvPool& pool_;
  const std::size_t limit_;
  /// By KvSequence::rope_limit() and adapters_key().
  std::map<std::pair<std::uint32_t, std::uint64_t>, Node> roots_;
  LruList lru_;
  std::vector<Node*> path_;
};

}  // namespace partita::internal
