#include "engine/cache/kv_pool.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "engine/kernels/panels.h"

namespace partita::internal {
namespace {

/// The memory of 16 pages in one allocation, so that it uses few huge pages: a token reads a little of every
/// page. The system provides the memory when it is touched.
struct Slab {
  static constexpr std::size_t kPages = 16;
  explicit Slab(std::size_t page_bytes) : memory(kPages * page_bytes) {
    if (memory.data() == nullptr) return;
    for (std::size_t i = 0; i < kPages; ++i) pages[i].bytes = memory.data() + i * page_bytes;
  }
  AlignedBytes memory;
  CachePage pages[kPages];
  Slab* next = nullptr;
};

constexpr std::size_t kAlignment = 64;
std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

void push(CachePage*& list, CachePage* page) { page->next = std::exchange(list, page); }
CachePage* pop(CachePage*& list) { return std::exchange(list, list->next); }

}  // namespace

struct KvPool::Impl {
  struct Class {
    bool fixed = false;
    std::uint32_t window = 0;
    std::uint32_t sinks = 0;  // tokens
    std::size_t page_bytes = 0;
    Slab* slabs = nullptr;
    CachePage* free = nullptr;   // pages without references, with memory
    CachePage* empty = nullptr;  // pages without memory
  };
  struct Place {  // of a layer
    std::size_t cls = 0;
    std::size_t offset = 0;                     // in a page
    std::size_t key_bytes = 0, head_bytes = 0;  // K, and K with V, of one head in one page
  };

  KvType type;
  std::size_t budget = 0;
  std::vector<StateShape> layers;
  std::vector<Class> classes;
  std::vector<Place> places;   // [layers]
  std::size_t live_bytes = 0;  // of pages with at least one reference
  std::size_t idle_bytes = 0;  // of these, the pages that only the idle cache holds
  std::size_t free_bytes = 0;  // of pages in the free lists
  IdlePageCache* idle_cache = nullptr;

  Impl(std::span<const StateShape> shapes, KvType kv_type, std::size_t budget_bytes);
  ~Impl();

  /// Makes room for a layer in the pages of the class like `cls`.
  Place place(const Class& cls, std::size_t bytes);

  bool is_idle(const CachePage& page) const { return page.cached && page.references == 1; }

  /// Returns the memory of free pages to the system: at least `bytes`, or all if there is less.
  void trim(std::size_t bytes);

  /// Adds empty pages; false if the system has no memory for them.
  bool add_slab(Class& c);

  void free_page(std::size_t cls, CachePage* page);
};

KvPool::Impl::Impl(std::span<const StateShape> shapes, KvType kv_type, std::size_t budget_bytes)
    : type(kv_type), budget(budget_bytes), layers(shapes.begin(), shapes.end()), places(shapes.size()) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto* kv = std::get_if<KvShape>(&layers[i]);
    if (kv == nullptr) continue;
    places[i] = place({.window = kv->window, .sinks = kv->sinks}, kv->heads * kv->head_bytes(type));
    places[i].key_bytes = kv->key_bytes(type);
    places[i].head_bytes = kv->head_bytes(type);
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {  // after the others: their class is the last
    const auto* state = std::get_if<FixedShape>(&layers[i]);
    if (state != nullptr) places[i] = place({.fixed = true}, aligned(state->bytes));
  }
}

KvPool::Impl::Place KvPool::Impl::place(const Class& like, std::size_t bytes) {
  auto cls = std::find_if(classes.begin(), classes.end(), [&](const Class& c) {
    return c.fixed == like.fixed && c.window == like.window && c.sinks == like.sinks;
  });
  if (cls == classes.end()) cls = classes.insert(classes.end(), like);
  const std::size_t offset = std::exchange(cls->page_bytes, cls->page_bytes + bytes);
  return {.cls = static_cast<std::size_t>(cls - classes.begin()), .offset = offset};
}

KvPool::Impl::~Impl() {
  for (Class& cls : classes) {
    while (cls.slabs != nullptr) delete std::exchange(cls.slabs, cls.slabs->next);
  }
}

void KvPool::Impl::trim(std::size_t bytes) {
  const std::size_t target = free_bytes - std::min(bytes, free_bytes);
  for (Class& cls : classes) {
    while (free_bytes > target && cls.free != nullptr) {
      CachePage* page = pop(cls.free);
      release_memory(page->bytes, cls.page_bytes);
      push(cls.empty, page);
      free_bytes -= cls.page_bytes;
    }
  }
}

bool KvPool::Impl::add_slab(Class& c) {
  Slab* slab = new (std::nothrow) Slab(c.page_bytes);
  if (slab == nullptr || slab->memory.data() == nullptr) {
    delete slab;
    return false;
  }
  slab->next = std::exchange(c.slabs, slab);
  for (std::size_t i = Slab::kPages; i > 0; --i) push(c.empty, &slab->pages[i - 1]);
  return true;
}

void KvPool::Impl::free_page(std::size_t cls, CachePage* page) {
  Class& c = classes[cls];
  push(c.free, page);
  live_bytes -= c.page_bytes;
  free_bytes += c.page_bytes;
}

KvPool::KvPool(std::span<const StateShape> layers, KvType type, std::size_t budget_bytes)
    : impl_(std::make_unique<Impl>(layers, type, budget_bytes)) {}
KvPool::~KvPool() = default;

std::size_t KvPool::classes() const { return impl_->classes.size(); }
std::size_t KvPool::class_of(std::size_t layer) const { return impl_->places[layer].cls; }
std::optional<std::size_t> KvPool::fixed_class() const {
  const std::size_t count = classes();
  return count > 0 && is_fixed(count - 1) ? std::optional(count - 1) : std::nullopt;
}
std::uint32_t KvPool::window(std::size_t cls) const { return impl_->classes[cls].window; }
std::size_t KvPool::sink_pages(std::size_t cls) const { return impl_->classes[cls].sinks / kPageTokens; }
std::size_t KvPool::page_bytes(std::size_t cls) const { return impl_->classes[cls].page_bytes; }
std::size_t KvPool::bytes_in_use() const { return impl_->live_bytes; }
std::size_t KvPool::idle_bytes() const { return impl_->idle_bytes; }
std::size_t KvPool::budget_bytes() const { return impl_->budget; }
KvType KvPool::type() const { return impl_->type; }
std::span<const StateShape> KvPool::layers() const { return impl_->layers; }
bool KvPool::is_fixed(std::size_t cls) const { return impl_->classes[cls].fixed; }

std::size_t KvPool::first_seen_page(std::size_t cls, std::size_t position) const {
  const std::size_t seen = window(cls);
  return seen == 0 || position < seen ? 0 : (position - seen + 1) / kPageTokens;
}

std::size_t KvPool::min_bytes_for(std::size_t tokens) const {
  std::size_t bytes = 0;
  for (std::size_t cls = 0; cls < classes() && tokens > 0; ++cls) {
    if (is_fixed(cls)) {
      bytes += 2 * page_bytes(cls);
      continue;
    }
    const std::size_t first_seen = first_seen_page(cls, tokens - 1);
    const std::size_t unseen = first_seen - std::min(first_seen, sink_pages(cls));
    bytes += (pages_for(tokens) - unseen) * page_bytes(cls);
  }
  return bytes;
}

std::size_t KvPool::k_offset(std::size_t layer, std::size_t head) const {
  const Impl::Place& place = impl_->places[layer];
  return place.offset + head * place.head_bytes;
}
std::size_t KvPool::v_offset(std::size_t layer, std::size_t head) const {
  return k_offset(layer, head) + impl_->places[layer].key_bytes;
}
std::size_t KvPool::state_offset(std::size_t layer) const { return impl_->places[layer].offset; }

bool KvPool::evict_for(std::size_t bytes) {
  Impl& pool = *impl_;
  if (pool.budget == 0) return true;
  const auto left = [&] { return pool.budget - std::min(pool.budget, pool.live_bytes); };
  if (bytes > left() && bytes <= left() + pool.idle_bytes) pool.idle_cache->evict(bytes - left());
  return bytes <= left();
}

CachePage* KvPool::allocate(std::size_t cls) {
  Impl& pool = *impl_;
  Impl::Class& c = pool.classes[cls];
  CachePage* page = nullptr;
  if (c.free != nullptr) {
    page = pop(c.free);
    pool.free_bytes -= c.page_bytes;
  } else {
    const std::size_t held = pool.live_bytes + pool.free_bytes + c.page_bytes;
    if (pool.budget != 0 && held > pool.budget) pool.trim(held - pool.budget);  // of other classes
    if (c.empty == nullptr && !pool.add_slab(c)) return nullptr;
    page = pop(c.empty);
  }
  page->references = 1;
  page->cached = false;
  pool.live_bytes += c.page_bytes;
  return page;
}

void KvPool::retain(std::size_t cls, CachePage* page) {
  if (impl_->is_idle(*page)) impl_->idle_bytes -= page_bytes(cls);
  ++page->references;
}

void KvPool::release(std::size_t cls, CachePage* page) {
  if (page == nullptr) return;
  if (--page->references == 0) return impl_->free_page(cls, page);
  if (impl_->is_idle(*page)) impl_->idle_bytes += page_bytes(cls);
}

void KvPool::retain_cached(CachePage* page) {
  page->cached = true;
  ++page->references;
}

void KvPool::release_cached(std::size_t cls, CachePage* page) {
  if (impl_->is_idle(*page)) impl_->idle_bytes -= page_bytes(cls);
  page->cached = false;
  if (--page->references == 0) impl_->free_page(cls, page);
}

void KvPool::set_idle_cache(IdlePageCache* cache) { impl_->idle_cache = cache; }

}  // namespace partita::internal
