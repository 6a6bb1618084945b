#include "engine/cache/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "weights/catch_all.h"

namespace partita::internal {
namespace {

constexpr std::size_t kTokens = kPageTokens;
constexpr std::size_t kMaxSequenceTokens = std::size_t{1} << 31;  // positions are int32

}  // namespace

struct KvSequence::State {
  KvPool* pool;
  std::size_t length = 0;
  std::vector<PageTable> tables;  // [classes], all with the same number of pages

  explicit State(KvPool& p) : pool(&p), tables(p.classes()) {}
  ~State() { shrink(0); }

  std::size_t page_count() const { return tables.empty() ? 0 : tables[0].pages.size(); }

  /// The page of the next token, if another sequence or the prefix cache holds it too; else null.
  CachePage* shared_last(std::size_t cls) const;
  std::size_t bytes_needed(std::size_t pages) const;
  void grow_to(std::size_t pages);
  bool grow(std::size_t pages);
  bool make_last_private(std::size_t cls);
  void shrink(std::size_t pages);
};

CachePage* KvSequence::State::shared_last(std::size_t cls) const {
  if (length % kTokens == 0) return nullptr;
  CachePage* page = tables[cls].pages[length / kTokens];
  return page->references > 1 ? page : nullptr;
}

std::size_t KvSequence::State::bytes_needed(std::size_t pages) const {
  const std::size_t more = pages - std::min(pages, page_count());
  std::size_t bytes = 0;
  for (std::size_t cls = 0; cls < tables.size(); ++cls) {
    bytes += (more + (shared_last(cls) != nullptr)) * pool->page_bytes(cls);
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
      CachePage* page = pool->allocate(cls);
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
}

KvSequence::KvSequence(KvPool& pool) : state_(std::make_unique<State>(pool)) {}
KvSequence::KvSequence(KvSequence&&) noexcept = default;
KvSequence& KvSequence::operator=(KvSequence&&) noexcept = default;
KvSequence::~KvSequence() = default;

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
  const std::size_t bytes = s.bytes_needed(pages);
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
  bool done = s.grow(pages);
  for (std::size_t cls = 0; done && cls < s.tables.size(); ++cls) done = s.make_last_private(cls);
  if (done) return {};
  s.shrink(before);
  return no_memory();
}

void KvSequence::advance(std::size_t n) { state_->length += n; }

void KvSequence::truncate(std::size_t length) {
  State& s = *state_;
  s.length = std::min(s.length, length < truncation_floor() ? 0 : length);
  s.shrink(pages_for(s.length));
}

void KvSequence::release_unseen(std::size_t back) {
  State& s = *state_;
  for (std::size_t cls = 0; cls < s.tables.size(); ++cls) {
    PageTable& table = s.tables[cls];
    const std::size_t first_seen = s.pool->first_seen_page(cls, s.length - std::min(back, s.length));
    for (; table.first_page < first_seen; ++table.first_page) {
      if (table.first_page < s.pool->sink_pages(cls)) continue;
      s.pool->release(cls, std::exchange(table.pages[table.first_page], nullptr));
    }
  }
}

std::size_t KvSequence::truncation_floor() const {
  const State& s = *state_;
  std::size_t floor = 0;
  for (std::size_t cls = 0; cls < s.tables.size(); ++cls) {
    const std::size_t first_page = s.tables[cls].first_page;
    if (first_page > s.pool->sink_pages(cls))
      floor = std::max(floor, first_page * kTokens + s.pool->window(cls) - 1);
  }
  return floor;
}

KvSequence KvSequence::fork() const {
  const State& s = *state_;
  KvSequence other(*s.pool);
  State& o = *other.state_;
  const std::size_t pages = pages_for(s.length);
  o.grow_to(pages);
  o.length = s.length;
  for (std::size_t cls = 0; cls < s.tables.size(); ++cls) {
    const PageTable& from = s.tables[cls];
    o.tables[cls].pages.assign(from.pages.begin(), from.pages.begin() + static_cast<std::ptrdiff_t>(pages));
    o.tables[cls].first_page = from.first_page;
    for (CachePage* page : o.tables[cls].pages) {
      if (page != nullptr) s.pool->retain(cls, page);
    }
  }
  return other;
}

void KvSequence::adopt_pages(std::size_t length, std::vector<PageTable> tables) {
  State& s = *state_;
  s.shrink(0);
  s.length = length;
  s.tables = std::move(tables);
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
