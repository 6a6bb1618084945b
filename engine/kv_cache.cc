#include "engine/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "engine/kernels/panels.h"

namespace partita {
namespace {

constexpr std::size_t kTokens = kPageTokens;
constexpr std::size_t kMaxSequenceTokens = std::size_t{1} << 31;  // positions are int32

struct Page {
  std::byte* bytes = nullptr;
  std::uint32_t references = 0;
  Page* next = nullptr;  // in a list of its class
};

/// The memory of some pages in one piece, so that it lies on few large pages of the machine: a token reads a
/// little of every page. The machine gives it as it is touched.
struct Slab {
  static constexpr std::size_t kPages = 16;
  explicit Slab(std::size_t page_bytes) : memory(kPages * page_bytes) {
    for (std::size_t i = 0; i < kPages; ++i) pages[i].bytes = memory.data() + i * page_bytes;
  }
  AlignedBytes memory;
  Page pages[kPages];
  Slab* next = nullptr;
};

void push(Page*& list, Page* page) { page->next = std::exchange(list, page); }
Page* pop(Page*& list) { return std::exchange(list, list->next); }

std::size_t pages_for(std::size_t tokens) { return tokens / kTokens + (tokens % kTokens != 0); }

}  // namespace

// --- KvPool ---------------------------------------------------------------------------------------

struct KvPool::Impl {
  struct Class {
    std::uint32_t window = 0;
    std::size_t layers = 0;
    std::size_t page_bytes = 0;
    Slab* slabs = nullptr;
    Page* free = nullptr;   // pages that no sequence holds, to be used again
    Page* empty = nullptr;  // pages whose memory the machine has
  };
  struct Place {  // of a layer
    std::size_t cls = 0;
    std::size_t index = 0;  // among the layers of its class
  };

  KvType type;
  std::size_t budget = 0;
  std::size_t kv_heads = 0;
  std::size_t key_bytes = 0, head_bytes = 0;  // K, and K with V, of one head in one page
  std::vector<Class> classes;
  std::vector<Place> places;   // [layers]
  std::size_t live_bytes = 0;  // of pages that sequences hold
  std::size_t free_bytes = 0;  // of pages in the free lists

  Impl(const Config& config, KvType kv_type, std::size_t budget_bytes);
  ~Impl();

  /// Gives at least `bytes` of free pages back to the machine, as far as there are any.
  void trim(std::size_t bytes);

  /// A page with one reference, or null when the machine has no more memory. Precondition: the budget allows
  /// it.
  Page* take(std::size_t cls);

  /// Lets go of one reference; null is none.
  void drop(std::size_t cls, Page* page);
};

KvPool::Impl::Impl(const Config& config, KvType kv_type, std::size_t budget_bytes)
    : type(kv_type), budget(budget_bytes), kv_heads(config.kv_heads) {
  key_bytes = kv_key_bytes(type, config.head_dim);
  head_bytes = key_bytes + kv_value_bytes(type, config.head_dim);
  places.reserve(config.layer_kinds.size());
  for (const LayerKind& kind : config.layer_kinds) {
    const auto same = [&](const Class& c) { return c.window == kind.window; };
    auto cls = std::find_if(classes.begin(), classes.end(), same);
    if (cls == classes.end()) cls = classes.insert(classes.end(), Class{.window = kind.window});
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
      Page* page = pop(cls.free);
      give_back(page->bytes, cls.page_bytes);
      push(cls.empty, page);
      free_bytes -= cls.page_bytes;
    }
  }
}

Page* KvPool::Impl::take(std::size_t cls) {
  Class& c = classes[cls];
  Page* page = nullptr;
  if (c.free != nullptr) {
    page = pop(c.free);
    free_bytes -= c.page_bytes;
  } else {
    const std::size_t held = live_bytes + free_bytes + c.page_bytes;
    if (budget != 0 && held > budget) trim(held - budget);  // free pages of other classes
    if (c.empty == nullptr) {
      Slab* slab = new (std::nothrow) Slab(c.page_bytes);
      if (slab == nullptr || slab->memory.data() == nullptr) {
        delete slab;
        return nullptr;
      }
      slab->next = std::exchange(c.slabs, slab);
      for (std::size_t i = Slab::kPages; i > 0; --i) push(c.empty, &slab->pages[i - 1]);
    }
    page = pop(c.empty);
  }
  page->references = 1;
  live_bytes += c.page_bytes;
  return page;
}

void KvPool::Impl::drop(std::size_t cls, Page* page) {
  if (page == nullptr || --page->references != 0) return;
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
std::size_t KvPool::page_bytes(std::size_t cls) const { return impl_->classes[cls].page_bytes; }
std::size_t KvPool::bytes_in_use() const { return impl_->live_bytes; }
std::size_t KvPool::budget_bytes() const { return impl_->budget; }
KvType KvPool::type() const { return impl_->type; }

std::size_t KvPool::k_offset(std::size_t layer, std::size_t head) const {
  return (impl_->places[layer].index * impl_->kv_heads + head) * impl_->head_bytes;
}
std::size_t KvPool::v_offset(std::size_t layer, std::size_t head) const {
  return k_offset(layer, head) + impl_->key_bytes;
}

// --- KvSequence -----------------------------------------------------------------------------------

struct KvSequence::State {
  struct Table {
    std::vector<Page*> pages;    // null below first_page
    std::size_t first_page = 0;  // pages before it were behind the window and have been given back
  };

  KvPool* pool;
  std::size_t length = 0;
  std::vector<Table> tables;  // [classes], all with the same number of pages

  explicit State(KvPool& p) : pool(&p), tables(p.classes()) {}
  ~State() { shrink(0); }

  KvPool::Impl& impl() const { return *pool->impl_; }
  std::size_t page_count() const { return tables.empty() ? 0 : tables[0].pages.size(); }

  /// The page that the next token goes to, where another sequence has it too; else null.
  Page* shared_last(std::size_t cls) const;
  std::size_t bytes_needed(std::size_t pages) const;
  void make_room(std::size_t pages);
  bool grow(std::size_t pages);
  bool make_last_private(std::size_t cls);
  void shrink(std::size_t pages);
};

Page* KvSequence::State::shared_last(std::size_t cls) const {
  if (length % kTokens == 0) return nullptr;
  Page* page = tables[cls].pages[length / kTokens];
  return page->references > 1 ? page : nullptr;
}

std::size_t KvSequence::State::bytes_needed(std::size_t pages) const {
  const std::size_t more = pages - std::min(pages, page_count());
  std::size_t bytes = 0;
  for (std::size_t cls = 0; cls < tables.size(); ++cls) {
    bytes += (more + (shared_last(cls) != nullptr)) * impl().classes[cls].page_bytes;
  }
  return bytes;
}

/// Capacity for that many entries, at least doubled when it grows. Throws std::bad_alloc, having changed
/// nothing.
void KvSequence::State::make_room(std::size_t pages) {
  for (Table& table : tables) {
    if (pages > table.pages.capacity()) table.pages.reserve(std::max(pages, 2 * table.pages.capacity()));
  }
}

bool KvSequence::State::grow(std::size_t pages) {
  const std::size_t before = page_count();
  for (std::size_t cls = 0; cls < tables.size(); ++cls) {
    while (tables[cls].pages.size() < pages) {
      Page* page = impl().take(cls);
      if (page == nullptr) {
        shrink(before);
        return false;
      }
      tables[cls].pages.push_back(page);
    }
  }
  return true;
}

bool KvSequence::State::make_last_private(std::size_t cls) {
  Page* shared = shared_last(cls);
  if (shared == nullptr) return true;
  Page* copy = impl().take(cls);
  if (copy == nullptr) return false;
  std::memcpy(copy->bytes, shared->bytes, impl().classes[cls].page_bytes);
  tables[cls].pages[length / kTokens] = copy;
  impl().drop(cls, shared);
  return true;
}

void KvSequence::State::shrink(std::size_t pages) {
  for (std::size_t cls = 0; cls < tables.size(); ++cls) {
    Table& table = tables[cls];
    while (table.pages.size() > pages) {
      impl().drop(cls, table.pages.back());
      table.pages.pop_back();
    }
    if (pages == 0) table.first_page = 0;
  }
}

KvSequence::KvSequence(KvPool& pool) : state_(std::make_unique<State>(pool)) {}
KvSequence::KvSequence(KvSequence&&) noexcept = default;
KvSequence& KvSequence::operator=(KvSequence&&) noexcept = default;
KvSequence::~KvSequence() = default;

std::size_t KvSequence::length() const { return state_->length; }
KvPool& KvSequence::pool() const { return *state_->pool; }

Result<void> KvSequence::reserve(std::size_t n) {
  State& s = *state_;
  const KvPool::Impl& pool = s.impl();
  const auto out_of_memory = [&](const std::string& why) {
    return Error{ErrorCode::kOutOfMemory, "the KV cache has no room for " + std::to_string(n) +
                                              " more tokens after " + std::to_string(s.length) + ": " + why};
  };
  if (n == 0) return {};
  if (n > kMaxSequenceTokens - s.length) {
    return out_of_memory("a sequence holds at most " + std::to_string(kMaxSequenceTokens));
  }
  const std::size_t pages = pages_for(s.length + n);
  const std::size_t bytes = s.bytes_needed(pages);
  if (pool.budget != 0 && bytes > pool.budget - pool.live_bytes) {
    return out_of_memory("they take " + std::to_string(bytes) + " bytes, and " +
                         std::to_string(pool.live_bytes) + " of its " + std::to_string(pool.budget) +
                         " are in use");
  }
  const Error no_memory = out_of_memory("the machine cannot give it " + std::to_string(bytes) + " bytes");
  try {
    s.make_room(pages);
  } catch (const std::bad_alloc&) {
    return no_memory;
  }
  const std::size_t before = s.page_count();
  bool done = s.grow(pages);
  for (std::size_t cls = 0; done && cls < s.tables.size(); ++cls) done = s.make_last_private(cls);
  if (done) return {};
  s.shrink(before);
  return no_memory;
}

void KvSequence::advance(std::size_t n) { state_->length += n; }

void KvSequence::truncate(std::size_t length) {
  State& s = *state_;
  s.length = std::min(s.length, length < truncation_floor() ? 0 : length);
  s.shrink(pages_for(s.length));
}

void KvSequence::release_unseen() {
  State& s = *state_;
  for (std::size_t cls = 0; cls < s.tables.size(); ++cls) {
    const std::size_t window = s.impl().classes[cls].window;
    if (window == 0 || s.length < window) continue;
    State::Table& table = s.tables[cls];
    const std::size_t first_seen = s.length - window + 1;
    for (; table.first_page < first_seen / kTokens; ++table.first_page) {
      s.impl().drop(cls, std::exchange(table.pages[table.first_page], nullptr));
    }
  }
}

std::size_t KvSequence::truncation_floor() const {
  const State& s = *state_;
  std::size_t floor = 0;
  for (std::size_t cls = 0; cls < s.tables.size(); ++cls) {
    const std::size_t first_page = s.tables[cls].first_page;
    if (first_page != 0) floor = std::max(floor, first_page * kTokens + s.impl().classes[cls].window - 1);
  }
  return floor;
}

KvSequence KvSequence::fork() const {
  const State& s = *state_;
  KvSequence other(*s.pool);
  State& o = *other.state_;
  const std::size_t pages = pages_for(s.length);
  o.make_room(pages);
  o.length = s.length;
  for (std::size_t cls = 0; cls < s.tables.size(); ++cls) {
    const State::Table& from = s.tables[cls];
    o.tables[cls].pages.assign(from.pages.begin(), from.pages.begin() + static_cast<std::ptrdiff_t>(pages));
    o.tables[cls].first_page = from.first_page;
    for (Page* page : o.tables[cls].pages) {
      if (page != nullptr) ++page->references;
    }
  }
  return other;
}

std::byte* KvSequence::page(std::size_t cls, std::size_t i) const {
  Page* page = state_->tables[cls].pages[i];
  return page != nullptr ? page->bytes : nullptr;
}

}  // namespace partita
