// What was read before, found again by content: a tree of pages, 64 tokens a node, so that sequences which
// begin alike read their beginning once. (The radix tree of Zheng et al. 2023, SGLang, over whole pages; a
// sequence may share the first part of a page and copies it when it writes on.)
//
// The tree keeps pages as long as there is memory. The page used longest ago goes first; of a global class
// only from a leaf, for what comes after is of no use without it. A page of a windowed class may go from
// anywhere: a beginning can be taken up where the window before its end is still there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "engine/cache/kv_cache.h"

namespace partita {

/// Sequences of one pool. Tokens are named by keys: whatever their keys and values depend on besides what is
/// before them, which is the id and, where roles compute differently, the role (Scheduler). Not for two
/// threads at once.
class PrefixCache final : public PageKeeper {
 public:
  /// limit_bytes: what the pages may take that nobody uses besides. The pool outlives it.
  PrefixCache(KvPool& pool, std::size_t limit_bytes);
  ~PrefixCache() override;
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  /// Gives `sequence` the longest beginning of `keys` that is known, if that is longer than what it has,
  /// which are its own first keys. True if it did.
  bool take_up(std::span<const std::int32_t> keys, KvSequence& sequence);

  /// Keeps the whole pages of a sequence, whose tokens have these keys. Where the same is kept already, the
  /// sequence goes on with that and gives its own page back.
  void insert(std::span<const std::int32_t> keys, KvSequence& sequence);

  /// Lets go of what is beyond the limit.
  void trim();
  void give_up(std::size_t bytes) override;

 private:
  struct Node;
  struct Kept {
    Node* node;
    std::size_t cls;
  };
  using Uses = std::list<Kept>;  // least recent first

  struct Node {
    Node* parent = nullptr;
    std::vector<std::int32_t> keys;   // [64]
    std::vector<CachePage*> pages;    // [classes], null where none is kept
    std::vector<Uses::iterator> use;  // [classes], of the pages that are
    std::vector<std::unique_ptr<Node>> children;
  };

  /// The nodes from the root's child on that hold the beginning of keys, and how long it is: whole nodes, and
  /// part of the last perhaps.
  std::size_t find(std::span<const std::int32_t> keys, std::vector<Node*>& path) const;
  /// The longest beginning, up to `length`, all of whose pages are there that a token after it sees.
  std::size_t usable(std::span<Node* const> path, std::size_t length) const;
  /// Whether a sequence that takes up so much can be written on with all of the budget: a last page that is
  /// shared in part is copied first.
  bool leaves_room_to_write(std::size_t length) const;
  Node* child(Node& node, std::span<const std::int32_t> keys);
  void keep(Node& node, std::size_t index, KvSequence& sequence);
  void touch(Node& node, std::size_t cls);
  void forget(Node& node, std::size_t cls);
  bool can_go(const Kept& kept) const;
  void remove(Node* leaf);

  KvPool& pool_;
  const std::size_t limit_;
  Node root_;
  Uses uses_;
  std::vector<Node*> path_;
};

}  // namespace partita
