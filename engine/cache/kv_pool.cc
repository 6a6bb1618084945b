#include "engine/cache/kv_pool.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "engine/kernels/panels.h"

namespace partita {
namespace {

/// The memory of some pages in one piece, so that it lies on few large pages of the machine: a token reads a
/// little of every page. The machine gives it as it is touched.
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

void push(CachePage*& list, CachePage* page) { page->next = std::exchange(list, page); }
CachePage* pop(CachePage*& list) { return std::exchange(list, list->next); }

}  // namespace

struct KvPool::Impl {
  struct Class {
    std::uint32_t window = 0;
    std::uint32_t sinks = 0;  // tokens
    std::size_t layers = 0;
    std::size_t page_bytes = 0;
    Slab* slabs = nullptr;
    CachePage* free = nullptr;   // pages that nobody holds, to be used again
    CachePage* empty = nullptr;  // pages whose memory the machine has
  };
  struct Place {  // of a layer
    std::size_t cls = 0;
    std::size_t index = 0;  // among the layers of its class
  };

  KvType type;
  std::size_t budget = 0;
  std::size_t kv_heads = 0, head_dim = 0;
  std::size_t key_bytes = 0, head_bytes = 0;  // K, and K with V, of one head in one page
  std::vector<Class> classes;
  std::vector<Place> places;   // [layers]
  std::size_t live_bytes = 0;  // of pages that somebody holds
  std::size_t idle_bytes = 0;  // of them, those that the keeper alone holds
  std::size_t free_bytes = 0;  // of pages in the free lists
  PageKeeper* keeper = nullptr;

  Impl(const Config& config, KvType kv_type, std::size_t budget_bytes);
  ~Impl();

  bool is_idle(const CachePage& page) const { return page.kept && page.references == 1; }

  /// Gives at least `bytes` of free pages back to the machine, as far as there are any.
  void trim(std::size_t bytes);

  /// More empty pages; false when the machine has no memory for them.
  bool add_slab(Class& c);

  void release(std::size_t cls, CachePage* page);
};

KvPool::Impl::Impl(const Config& config, KvType kv_type, std::size_t budget_bytes)
    : type(kv_type), budget(budget_bytes), kv_heads(config.kv_heads), head_dim(config.head_dim) {
  key_bytes = kv_key_bytes(type, config.head_dim);
  head_bytes = key_bytes + kv_value_bytes(type, config.head_dim);
  places.reserve(config.layer_kinds.size());
  for (const LayerKind& kind : config.layer_kinds) {
    const auto same = [&](const Class& c) { return c.window == kind.window && c.sinks == kind.sinks; };
    auto cls = std::find_if(classes.begin(), classes.end(), same);
    if (cls == classes.end()) {
      cls = classes.insert(classes.end(), Class{.window = kind.window, .sinks = kind.sinks});
    }
    places.push_back({static_cast<std::size_t>(cls - classes.begin()), cls->layers});
    ++cls->layers;
  }
  for (Class& cls : classes) cls.page_bytes = cls.layers * kv_heads * head_bytes;
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
      give_back(page->bytes, cls.page_bytes);
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

void KvPool::Impl::release(std::size_t cls, CachePage* page) {
  Class& c = classes[cls];
  push(c.free, page);
  live_bytes -= c.page_bytes;
  free_bytes += c.page_bytes;
}

KvPool::KvPool(const Config& config, KvType type, std::size_t budget_bytes)
    : impl_(std::make_unique<Impl>(config, type, budget_bytes)) {}
KvPool::~KvPool() = default;

std::size_t KvPool::classes() const { return impl_->classes.size(); }
std::size_t KvPool::class_of(std::size_t layer) const { return impl_->places[layer].cls; }
std::uint32_t KvPool::window(std::size_t cls) const { return impl_->classes[cls].window; }
std::size_t KvPool::sink_pages(std::size_t cls) const { return impl_->classes[cls].sinks / kPageTokens; }
std::size_t KvPool::page_bytes(std::size_t cls) const { return impl_->classes[cls].page_bytes; }
std::size_t KvPool::bytes_in_use() const { return impl_->live_bytes; }
std::size_t KvPool::idle_bytes() const { return impl_->idle_bytes; }
std::size_t KvPool::budget_bytes() const { return impl_->budget; }
KvType KvPool::type() const { return impl_->type; }
std::size_t KvPool::head_dim() const { return impl_->head_dim; }

std::size_t KvPool::first_seen_page(std::size_t cls, std::size_t position) const {
  const std::size_t seen = window(cls);
  return seen == 0 || position < seen ? 0 : (position - seen + 1) / kPageTokens;
}

std::size_t KvPool::least_bytes_for(std::size_t tokens) const {
  std::size_t bytes = 0;
  for (std::size_t cls = 0; cls < classes() && tokens > 0; ++cls) {
    const std::size_t first_seen = first_seen_page(cls, tokens - 1);
    const std::size_t unseen = first_seen - std::min(first_seen, sink_pages(cls));
    bytes += (pages_for(tokens) - unseen) * page_bytes(cls);
  }
  return bytes;
}

std::size_t KvPool::k_offset(std::size_t layer, std::size_t head) const {
  return (impl_->places[layer].index * impl_->kv_heads + head) * impl_->head_bytes;
}
std::size_t KvPool::v_offset(std::size_t layer, std::size_t head) const {
  return k_offset(layer, head) + impl_->key_bytes;
}

bool KvPool::make_room(std::size_t bytes) {
  Impl& pool = *impl_;
  if (pool.budget == 0) return true;
  const auto room = [&] { return pool.budget - std::min(pool.budget, pool.live_bytes); };
  if (bytes > room() && bytes <= room() + pool.idle_bytes) pool.keeper->give_up(bytes - room());
  return bytes <= room();
}

CachePage* KvPool::take(std::size_t cls) {
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
  page->kept = false;
  pool.live_bytes += c.page_bytes;
  return page;
}

void KvPool::share(std::size_t cls, CachePage* page) {
  if (impl_->is_idle(*page)) impl_->idle_bytes -= page_bytes(cls);
  ++page->references;
}

void KvPool::drop(std::size_t cls, CachePage* page) {
  if (page == nullptr) return;
  if (--page->references == 0) return impl_->release(cls, page);
  if (impl_->is_idle(*page)) impl_->idle_bytes += page_bytes(cls);
}

void KvPool::keep(CachePage* page) {
  page->kept = true;
  ++page->references;
}

void KvPool::let_go(std::size_t cls, CachePage* page) {
  if (impl_->is_idle(*page)) impl_->idle_bytes -= page_bytes(cls);
  page->kept = false;
  if (--page->references == 0) impl_->release(cls, page);
}

void KvPool::set_keeper(PageKeeper* keeper) { impl_->keeper = keeper; }

}  // namespace partita
