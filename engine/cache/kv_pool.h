// The pages of the KV cache: 64 tokens each, taken from one pool when they are first written, with a count of
// those who hold them.
//
// Layers with the same visibility (global, or a sliding window and its sinks) form a class; a page holds 64
// tokens for all layers of its class, so that a class whose window has moved on can give pages back without
// touching the others. Inside a page:
// [layer of the class][kv head]{ K: [4][head_dim][16], V: [64][head_dim] } of KvType, V's scales before it
// where the type has them (kernels.h), 64-byte aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/config.h"
#include "engine/kernels/kernels.h"

namespace partita {

struct CachePage {
  std::byte* bytes = nullptr;
  std::uint32_t references = 0;  // sequences that hold it, and the prefix cache where it does
  bool kept = false;             // by the prefix cache
  CachePage* next = nullptr;     // in a list of its class that the pool has
};

/// Who keeps pages that no sequence needs, as long as nobody else does.
class PageKeeper {
 public:
  virtual ~PageKeeper() = default;
  /// Lets go of idle pages, of `bytes` in all or of as many as there are.
  virtual void give_up(std::size_t bytes) = 0;
};

/// Not for two threads at once: it serves the engine's step. Whoever holds pages must not outlive it.
class KvPool {
 public:
  /// budget_bytes: what pages may take in all; 0 for no limit but the machine's.
  KvPool(const Config& config, KvType type, std::size_t budget_bytes);
  ~KvPool();
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;

  std::size_t classes() const;
  std::size_t class_of(std::size_t layer) const;
  std::size_t page_bytes(std::size_t cls) const;
  std::size_t budget_bytes() const;
  KvType type() const;
  std::size_t head_dim() const;

  std::size_t bytes_in_use() const;  // of pages that somebody holds
  std::size_t idle_bytes() const;    // of them, those that the keeper alone holds

  /// The sliding window of a class, 0 for none.
  std::uint32_t window(std::size_t cls) const;

  /// Of a class with a window, the first so many pages hold attention sinks, which every token sees.
  std::size_t sink_pages(std::size_t cls) const;

  /// The first page that the token at `position` sees, and all after it do; sinks apart.
  std::size_t first_seen_page(std::size_t cls, std::size_t position) const;

  /// Bytes of the pages that the last of so many tokens sees: what a sequence needs at least.
  std::size_t least_bytes_for(std::size_t tokens) const;

  /// Where layer `layer`, KV head `head` lives inside a page of its class; V follows K.
  std::size_t k_offset(std::size_t layer, std::size_t head) const;
  std::size_t v_offset(std::size_t layer, std::size_t head) const;

  /// Whether `bytes` more fit into the budget; idle pages make way for them.
  bool make_room(std::size_t bytes);

  /// A page with one reference, or null when the machine has no more memory. Precondition: make_room().
  CachePage* take(std::size_t cls);
  /// One more reference.
  void share(std::size_t cls, CachePage* page);
  /// One reference less; null is none.
  void drop(std::size_t cls, CachePage* page);

  /// The keeper's reference: one more, one less. A page that has no other is idle. Precondition of keep():
  /// somebody holds the page, the keeper does not.
  void keep(CachePage* page);
  void let_go(std::size_t cls, CachePage* page);
  /// Null: nobody. The keeper lets go of all pages before it goes.
  void set_keeper(PageKeeper* keeper);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Pages that hold so many tokens.
inline std::size_t pages_for(std::size_t tokens) {
  return tokens / kPageTokens + (tokens % kPageTokens != 0);
}

}  // namespace partita
