// The KV cache pages (paged attention): 64 tokens each, allocated from one pool when they are first written,
// with a reference count.
//
// Layers with the same visibility (global, or a sliding window and its sinks) form a class; a page holds 64
// tokens for all layers of its class. So a class with a window can release pages that are outside the window,
// independently of the other classes. Inside a page: [layer of the class][kv head]{ K: [4][key width][16], V:
// [64][value width] } of KvType, the scales of V before it if the type has scales (kernels.h), 64-byte
// aligned; of latents, [64][key width] alone.
//
// The fixed states of all other layers form a class of their own, the last. Its pages are states after a
// number of tokens: [layer], each 64-byte aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "engine/cache/state_shape.h"

namespace partita::internal {

struct CachePage {
  std::byte* bytes = nullptr;
  std::uint32_t references = 0;  // one per sequence that holds it, and one of the prefix cache
  bool cached = false;           // held by the prefix cache
  CachePage* next = nullptr;     // in a list of the pool, one list per class
};

/// A cache of pages that no sequence uses (the prefix cache). The pool asks it to evict pages when memory is
/// needed.
class IdlePageCache {
 public:
  virtual ~IdlePageCache() = default;
  /// Evicts idle pages: `bytes` in total, or all if there are fewer.
  virtual void evict(std::size_t bytes) = 0;
};

/// Not thread-safe: the pool serves the step of the engine. Objects that hold pages must not outlive it.
class KvPool {
 public:
  /// layers: what each layer keeps. budget_bytes: the limit for all pages; 0 for no limit.
  KvPool(std::span<const StateShape> layers, KvType type, std::size_t budget_bytes);
  ~KvPool();
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;

  std::size_t classes() const;
  std::size_t class_of(std::size_t layer) const;
  std::size_t page_bytes(std::size_t cls) const;
  std::size_t budget_bytes() const;
  KvType type() const;
  std::span<const StateShape> layers() const;

  /// Whether the class holds fixed states; no model has two such classes.
  bool is_fixed(std::size_t cls) const;
  std::optional<std::size_t> fixed_class() const;

  std::size_t bytes_in_use() const;  // of pages with at least one reference
  std::size_t idle_bytes() const;    // of these, the pages that only the idle cache holds

  /// The sliding window of a class, 0 for none.
  std::uint32_t window(std::size_t cls) const;

  /// The number of pages at the start of a sequence that hold attention sinks, which every token attends to.
  std::size_t sink_pages(std::size_t cls) const;

  /// The first page that the token at `position` and later tokens attend to, sinks not counted. Not of a
  /// fixed class.
  std::size_t first_seen_page(std::size_t cls, std::size_t position) const;

  /// Bytes of the pages that the last of `tokens` tokens attends to, and of the state before it and after it:
  /// the minimum for a sequence of this length.
  std::size_t min_bytes_for(std::size_t tokens) const;

  /// Offset of layer `layer`, KV head `head` inside a page of its class; V follows K.
  std::size_t k_offset(std::size_t layer, std::size_t head) const;
  std::size_t v_offset(std::size_t layer, std::size_t head) const;
  /// Offset of the state of layer `layer` inside a page of the fixed class.
  std::size_t state_offset(std::size_t layer) const;

  /// Returns whether `bytes` more fit into the budget; evicts idle pages if needed.
  bool evict_for(std::size_t bytes);

  /// A page with one reference, or null if the system has no memory. Precondition: evict_for().
  CachePage* allocate(std::size_t cls);
  /// Adds a reference.
  void retain(std::size_t cls, CachePage* page);
  /// Removes a reference; null is allowed. A page without references becomes free.
  void release(std::size_t cls, CachePage* page);

  /// Adds and removes the reference of the idle cache. A page without another reference is idle. Precondition
  /// of retain_cached(): the page has a reference and is not cached.
  void retain_cached(CachePage* page);
  void release_cached(std::size_t cls, CachePage* page);
  /// Null: no idle cache. The idle cache releases all its pages before it is destroyed.
  void set_idle_cache(IdlePageCache* cache);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Number of pages for `tokens` tokens.
inline std::size_t pages_for(std::size_t tokens) {
  return tokens / kPageTokens + (tokens % kPageTokens != 0);
}

}  // namespace partita::internal
