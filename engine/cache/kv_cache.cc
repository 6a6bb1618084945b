#include "engine/cache/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "engine/adapter.h"
#include "weights/catch_all.h"

namespace partita::internal {
namespace {

constexpr std::size_t kTokens = kPageTokens;
constexpr std::size_t kMaxSequenceTokens = std::size_t{1} << 31;  // positions are int32

}  // namespace

struct KvSequence::State {
  KvPool* pool;
  std::uint32_t rope_limit = 0;
  std::shared_ptr<const AdapterSet> adapters;
  std::size_t length = 0;
  std::vector<PageTable> tables;  // [classes], all with the same number of pages

  const std::optional<std::size_t> fixed;  // the class of fixed states
  CachePage* current = nullptr;            // the fixed states after `length` tokens; null: zeros
  CachePage* next = nullptr;               // reserved: after the step
  CachePage* at_border = nullptr;          // reserved: at the last page border within the step
  CachePage* kept = nullptr;               // the snapshot of keep_snapshot(), after `kept_tokens` tokens
  std::size_t kept_tokens = 0;

  explicit State(KvPool& p) : pool(&p), tables(p.classes()), fixed(p.fixed_class()) {}
  ~State() { shrink(0); }

  std::size_t page_count() const { return tables.empty() ? 0 : tables[0].pages.size(); }

  /// The page of the next token, if another sequence or the prefix cache holds it too; else null.
  CachePage* shared_last(std::size_t cls) const;
  std::size_t bytes_needed(std::size_t n) const;
  void grow_to(std::size_t pages);
  bool grow(std::size_t pages);
  bool make_last_private(std::size_t cls);
  void shrink(std::size_t pages);

  /// The last page border that a step of n tokens reaches: its length; 0 if it reaches none.
  std::size_t border(std::size_t n) const {
    const std::size_t last = (length + n) / kTokens * kTokens;
    return last > length ? last : 0;
  }
  bool needs_border_page(std::size_t n) const { return border(n) != 0 && border(n) != length + n; }
  bool reserve_states(std::size_t n);
  void advance_states(std::size_t n);
  void replace(CachePage*& page, CachePage* by);
  void drop_reserved();

  /// The newest snapshot of at most `most` tokens: its length; 0 if there is none.
  std::size_t snapshot_at_most(std::size_t most) const;
  void release_snapshots_before(std::size_t tokens);
  void drop_kept();
  void return_to_snapshot(std::size_t tokens);
  std::size_t window_floor() const;
};

CachePage* KvSequence::State::shared_last(std::size_t cls) const {
  if (length % kTokens == 0 || cls == fixed) return nullptr;
  CachePage* page = tables[cls].pages[length / kTokens];
  return page->references > 1 ? page : nullptr;
}

std::size_t KvSequence::State::bytes_needed(std::size_t n) const {
  const std::size_t pages = pages_for(length + n);
  const std::size_t more = pages - std::min(pages, page_count());
  std::size_t bytes = 0;
  for (std::size_t cls = 0; cls < tables.size(); ++cls) {
    const std::size_t states = (next == nullptr) + (at_border == nullptr && needs_border_page(n));
    bytes += (cls == fixed ? states : more + (shared_last(cls) != nullptr)) * pool->page_bytes(cls);
  }
  return bytes;
}

/// Reserves capacity for `pages` table entries, at least doubling it. Throws std::bad_alloc without changes.
void KvSequence::State::grow_to(std::size_t pages) {
  for (PageTable& table : tables) {
    if (pages > table.pages.capacity()) table.pages.reserve(std::max(pages, 2 * table.pages.capacity()));
  }
}

bool KvSequence::State::grow(std::size_t pages) {
  const std::size_t before = page_count();
  for (std::size_t cls = 0; cls < tables.size(); ++cls) {
    while (tables[cls].pages.size() < pages) {
      CachePage* page = cls == fixed ? nullptr : pool->allocate(cls);
      if (page == nullptr && cls != fixed) {
        shrink(before);
        return false;
      }
      tables[cls].pages.push_back(page);
    }
  }
  return true;
}

bool KvSequence::State::make_last_private(std::size_t cls) {
  CachePage* shared = shared_last(cls);
  if (shared == nullptr) return true;
  CachePage* copy = pool->allocate(cls);
  if (copy == nullptr) return false;
  std::memcpy(copy->bytes, shared->bytes, pool->page_bytes(cls));
  tables[cls].pages[length / kTokens] = copy;
  pool->release(cls, shared);
  return true;
}

void KvSequence::State::shrink(std::size_t pages) {
  for (std::size_t cls = 0; cls < tables.size(); ++cls) {
    PageTable& table = tables[cls];
    while (table.pages.size() > pages) {
      pool->release(cls, table.pages.back());
      table.pages.pop_back();
    }
    if (pages == 0) table.first_page = 0;
  }
  drop_reserved();
  if (kept_tokens > pages * kTokens) drop_kept();
  if (pages == 0) replace(current, nullptr);
}

bool KvSequence::State::reserve_states(std::size_t n) {
  if (!fixed) return true;
  if (next == nullptr) next = pool->allocate(*fixed);
  if (at_border == nullptr && needs_border_page(n)) at_border = pool->allocate(*fixed);
  return next != nullptr && (at_border != nullptr || !needs_border_page(n));
}

/// The state after the step becomes current, and the one at the border that it passed a snapshot.
void KvSequence::State::advance_states(std::size_t n) {
  if (!fixed || n == 0) return;
  if (const std::size_t end = border(n); end != 0) {
    CachePage*& snapshot = tables[*fixed].pages[end / kTokens - 1];
    if (needs_border_page(n)) {
      replace(snapshot, std::exchange(at_border, nullptr));
    } else {
      pool->retain(*fixed, next);
      replace(snapshot, next);
    }
    release_snapshots_before(snapshot_at_most(end - kTokens));
  }
  replace(current, std::exchange(next, nullptr));
}

/// Takes over the reference `by`.
void KvSequence::State::replace(CachePage*& page, CachePage* by) {
  if (fixed) pool->release(*fixed, std::exchange(page, by));
}

void KvSequence::State::drop_reserved() {
  replace(next, nullptr);
  replace(at_border, nullptr);
}

std::size_t KvSequence::State::snapshot_at_most(std::size_t most) const {
  const PageTable& table = tables[*fixed];
  for (std::size_t i = std::min(most / kTokens, table.pages.size()); i > table.first_page; --i) {
    if (table.pages[i - 1] != nullptr) return i * kTokens;
  }
  return kept_tokens <= most ? kept_tokens : 0;
}

void KvSequence::State::drop_kept() {
  replace(kept, nullptr);
  kept_tokens = 0;
}

/// The states after `tokens` tokens, of which there is a snapshot, become current.
void KvSequence::State::return_to_snapshot(std::size_t tokens) {
  PageTable& table = tables[*fixed];
  const std::size_t i = tokens / kTokens - 1;
  if (table.pages[i] == nullptr) {  // it is the kept one
    pool->retain(*fixed, kept);
    table.pages[i] = kept;
    table.first_page = std::min(table.first_page, i);
  }
  pool->retain(*fixed, table.pages[i]);
  replace(current, table.pages[i]);
}

void KvSequence::State::release_snapshots_before(std::size_t tokens) {
  if (tokens == 0) return;
  PageTable& table = tables[*fixed];
  for (; (table.first_page + 1) * kTokens < tokens; ++table.first_page) {
    replace(table.pages[table.first_page], nullptr);
  }
}

std::size_t KvSequence::State::window_floor() const {
  std::size_t floor = 0;
  for (std::size_t cls = 0; cls < tables.size(); ++cls) {
    const std::size_t first_page = tables[cls].first_page;
    if (cls != fixed && first_page > pool->sink_pages(cls))
      floor = std::max(floor, first_page * kTokens + pool->window(cls) - 1);
  }
  return floor;
}

KvSequence::KvSequence(KvPool& pool) : state_(std::make_unique<State>(pool)) {}
KvSequence::KvSequence(KvSequence&&) noexcept = default;
KvSequence& KvSequence::operator=(KvSequence&&) noexcept = default;
KvSequence::~KvSequence() = default;

std::uint32_t KvSequence::rope_limit() const { return state_->rope_limit; }

void KvSequence::set_rope_limit(std::uint32_t limit) {
  if (state_->rope_limit != limit) truncate(0);
  state_->rope_limit = limit;
}

const AdapterSet* KvSequence::adapters() const { return state_->adapters.get(); }

std::shared_ptr<const AdapterSet> KvSequence::shared_adapters() const { return state_->adapters; }

std::uint64_t KvSequence::adapters_key() const {
  return state_->adapters == nullptr ? 0 : state_->adapters->key();
}

void KvSequence::set_adapters(std::shared_ptr<const AdapterSet> adapters) {
  if (adapters_key() != (adapters == nullptr ? 0 : adapters->key())) truncate(0);
  state_->adapters = std::move(adapters);
}

std::size_t KvSequence::length() const { return state_->length; }
KvPool& KvSequence::pool() const { return *state_->pool; }

Result<void> KvSequence::reserve(std::size_t n) {
  State& s = *state_;
  KvPool& pool = *s.pool;
  const auto no_room = [&](const auto& why) {
    return error_of(ErrorCode::kOutOfMemory, [&] {
      return "the KV cache has no room for " + std::to_string(n) + " more tokens after " +
             std::to_string(s.length) + ": " + why();
    });
  };
  if (n == 0) return {};
  if (n > kMaxSequenceTokens - s.length) {
    return no_room([] { return "a sequence holds at most " + std::to_string(kMaxSequenceTokens); });
  }
  const std::size_t pages = pages_for(s.length + n);
  const std::size_t bytes = s.bytes_needed(n);
  if (!pool.evict_for(bytes)) s.drop_kept();
  if (!pool.evict_for(bytes)) {
    return no_room([&] {
      return "they take " + std::to_string(bytes) + " bytes, and " + std::to_string(pool.bytes_in_use()) +
             " of its " + std::to_string(pool.budget_bytes()) + " are in use";
    });
  }
  const auto no_memory = [&] {
    return no_room([&] { return "the machine cannot give it " + std::to_string(bytes) + " bytes"; });
  };
  try {
    s.grow_to(pages);
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
  const std::size_t before = s.page_count();
  bool done = s.grow(pages) && s.reserve_states(n);
  for (std::size_t cls = 0; done && cls < s.tables.size(); ++cls) done = s.make_last_private(cls);
  if (done) return {};
  s.shrink(before);
  return no_memory();
}

void KvSequence::advance(std::size_t n) {
  state_->advance_states(n);
  state_->length += n;
}

void KvSequence::truncate(std::size_t length) {
  State& s = *state_;
  std::size_t kept = std::min(s.length, length);
  if (s.fixed && kept < s.length) kept = s.snapshot_at_most(kept);
  if (kept < s.window_floor()) kept = 0;
  if (s.fixed && kept != 0 && kept < s.length) s.return_to_snapshot(kept);
  s.length = kept;
  s.shrink(pages_for(kept));
}

void KvSequence::keep_snapshot() {
  State& s = *state_;
  const std::size_t newest = s.fixed ? s.snapshot_at_most(s.length) : 0;
  if (newest == 0 || newest == s.kept_tokens) return;
  CachePage* page = held(*s.fixed, newest / kTokens - 1);
  s.pool->retain(*s.fixed, page);
  s.replace(s.kept, page);
  s.kept_tokens = newest;
}

void KvSequence::release_unseen(std::size_t back) {
  State& s = *state_;
  const std::size_t oldest = s.length - std::min(back, s.length);  // that truncate() may restore
  for (std::size_t cls = 0; cls < s.tables.size(); ++cls) {
    if (cls == s.fixed) {
      s.release_snapshots_before(s.snapshot_at_most(oldest));
      continue;
    }
    PageTable& table = s.tables[cls];
    const std::size_t first_seen = s.pool->first_seen_page(cls, oldest);
    for (; table.first_page < first_seen; ++table.first_page) {
      if (table.first_page < s.pool->sink_pages(cls)) continue;
      s.pool->release(cls, std::exchange(table.pages[table.first_page], nullptr));
    }
  }
}

std::size_t KvSequence::truncation_floor() const {
  const State& s = *state_;
  const std::size_t floor = s.window_floor();
  if (!s.fixed) return floor;
  const PageTable& table = s.tables[*s.fixed];
  if (s.kept_tokens > 0 && s.kept_tokens >= floor) return s.kept_tokens;
  for (std::size_t i = table.first_page; i < table.pages.size(); ++i) {
    if (table.pages[i] != nullptr && (i + 1) * kTokens >= floor) return (i + 1) * kTokens;
  }
  return s.length;
}

KvSequence KvSequence::fork() const {
  const State& s = *state_;
  KvSequence other(*s.pool);
  State& o = *other.state_;
  const std::size_t pages = pages_for(s.length);
  o.grow_to(pages);
  o.rope_limit = s.rope_limit;
  o.adapters = s.adapters;
  o.length = s.length;
  for (std::size_t cls = 0; cls < s.tables.size(); ++cls) {
    const PageTable& from = s.tables[cls];
    o.tables[cls].pages.assign(from.pages.begin(), from.pages.begin() + static_cast<std::ptrdiff_t>(pages));
    o.tables[cls].first_page = from.first_page;
    for (CachePage* page : o.tables[cls].pages) {
      if (page != nullptr) s.pool->retain(cls, page);
    }
  }
  o.current = s.current;
  if (o.current != nullptr) s.pool->retain(*s.fixed, o.current);
  return other;
}

StateStep KvSequence::state_step(std::size_t layer, std::size_t n) const {
  const State& s = *state_;
  const std::size_t offset = s.pool->state_offset(layer);
  StateStep step{.after = s.next->bytes + offset};
  if (s.current != nullptr) step.before = s.current->bytes + offset;
  if (s.needs_border_page(n)) {
    step.snapshot = s.at_border->bytes + offset;
    step.snapshot_tokens = s.border(n) - s.length;
  }
  return step;
}

CachePage* KvSequence::state() const { return state_->current; }

void KvSequence::adopt_pages(std::size_t length, std::vector<PageTable> tables, CachePage* state) {
  State& s = *state_;
  s.shrink(0);
  s.length = length;
  s.tables = std::move(tables);
  s.current = state;
}

std::size_t KvSequence::first_page(std::size_t cls) const { return state_->tables[cls].first_page; }

CachePage* KvSequence::held(std::size_t cls, std::size_t i) const { return state_->tables[cls].pages[i]; }

void KvSequence::exchange(std::size_t cls, std::size_t i, CachePage* page) {
  state_->pool->retain(cls, page);
  state_->pool->release(cls, std::exchange(state_->tables[cls].pages[i], page));
}

std::byte* KvSequence::page(std::size_t cls, std::size_t i) const {
  CachePage* page = state_->tables[cls].pages[i];
  return page != nullptr ? page->bytes : nullptr;
}

}  // namespace partita::internal
