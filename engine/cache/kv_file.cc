#include "engine/cache/kv_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "weights/try.h"

namespace partita::internal {
namespace {

bool is_held(const KvPool& pool, std::size_t cls, std::uint64_t first, std::size_t page) {
  return page >= first || page < pool.sink_pages(cls);
}

/// Writes zeros to the slots of one head from `tokens` on; kernels.h has the layout.
void clear_slots(KvType type, HeadWidths widths, std::size_t tokens, std::byte* head) {
  constexpr std::size_t kKeyTile = 16;  // tokens whose keys lie side by side
  const std::size_t key = bytes_of(kv_keys(type)), value = bytes_of(kv_values(type));
  const std::size_t scales = kv_scale_bytes(type), scale = scales / kPageTokens;
  const auto clear = [](std::byte* at, std::size_t bytes) { std::memset(at, 0, bytes); };
  for (std::size_t tile = 0; tile < kPageTokens / kKeyTile; ++tile) {
    const std::size_t kept =
        std::clamp<std::size_t>(tokens, tile * kKeyTile, (tile + 1) * kKeyTile) - tile * kKeyTile;
    for (std::size_t d = 0; d < widths.key; ++d) {
      clear(head + ((tile * widths.key + d) * kKeyTile + kept) * key, (kKeyTile - kept) * key);
    }
  }
  std::byte* values = head + kv_key_bytes(type, widths.key);
  clear(values + tokens * scale, (kPageTokens - tokens) * scale);
  clear(values + scales + tokens * widths.value * value, (kPageTokens - tokens) * widths.value * value);
}

/// The same for latents.
void clear_latents(KvType type, std::size_t width, std::size_t tokens, std::byte* page) {
  const std::size_t token = width * bytes_of(kv_keys(type));
  std::memset(page + tokens * token, 0, (kPageTokens - tokens) * token);
}

/// The same for all heads of a page.
void clear_slots(const KvPool& pool, std::size_t cls, std::size_t tokens, std::byte* page) {
  for (std::size_t layer = 0; layer < pool.layers().size(); ++layer) {
    const auto* kv = std::get_if<KvShape>(&pool.layers()[layer]);
    if (kv == nullptr || pool.class_of(layer) != cls) continue;
    for (std::size_t head = 0; head < kv->heads; ++head) {
      std::byte* at = page + pool.k_offset(layer, head);
      if (kv->latent) {
        clear_latents(pool.type(), kv->widths.key, tokens, at);
      } else {
        clear_slots(pool.type(), kv->widths, tokens, at);
      }
    }
  }
}

/// New pages of a sequence; the destructor releases those that no sequence has taken over.
struct NewPages {
  KvPool& pool;
  std::vector<PageTable> tables;  // [classes]; null: not held
  CachePage* state = nullptr;     // of the fixed class, if there is one
  ~NewPages() {
    if (state != nullptr) pool.release(*pool.fixed_class(), state);
    for (std::size_t cls = 0; cls < tables.size(); ++cls) {
      for (CachePage* page : tables[cls].pages) pool.release(cls, page);
    }
  }
};

}  // namespace

std::vector<std::uint64_t> kv_layout(const KvPool& pool) {
  std::uint64_t key_width = 0;  // of the first layer with keys
  for (const StateShape& shape : pool.layers()) {
    const auto* kv = std::get_if<KvShape>(&shape);
    if (kv != nullptr && key_width == 0) key_width = kv->widths.key;
  }
  std::vector<std::uint64_t> layout = {static_cast<std::uint64_t>(pool.type()), key_width, kPageTokens,
                                       pool.classes()};
  for (std::size_t cls = 0; cls < pool.classes(); ++cls) {
    layout.insert(layout.end(), {pool.window(cls), pool.sink_pages(cls), pool.page_bytes(cls)});
  }
  return layout;
}

std::vector<std::uint64_t> first_pages(const KvSequence& sequence) {
  std::vector<std::uint64_t> first;
  const KvPool& pool = sequence.pool();
  for (std::size_t cls = 0; cls < pool.classes(); ++cls)
    first.push_back(pool.is_fixed(cls) ? 0 : sequence.first_page(cls));
  return first;
}

bool are_valid_first_pages(const KvPool& pool, std::size_t length, std::span<const std::uint64_t> first) {
  if (first.size() != pool.classes()) return false;
  for (std::size_t cls = 0; cls < first.size(); ++cls) {
    const std::size_t most = pool.is_fixed(cls) ? 0 : pool.first_seen_page(cls, length);
    if (first[cls] > most) return false;
  }
  return true;
}

std::uint64_t kv_bytes(const KvPool& pool, std::size_t length, std::span<const std::uint64_t> first) {
  std::uint64_t bytes = 0;
  for (std::size_t cls = 0; cls < first.size(); ++cls) {
    if (pool.is_fixed(cls)) {
      bytes += length > 0 ? pool.page_bytes(cls) : 0;
      continue;
    }
    const std::uint64_t missing = first[cls] - std::min<std::uint64_t>(first[cls], pool.sink_pages(cls));
    bytes += (pages_for(length) - missing) * pool.page_bytes(cls);
  }
  return bytes;
}

bool write_pages(const KvSequence& sequence, const std::function<bool(std::span<const std::byte>)>& write) {
  const KvPool& pool = sequence.pool();
  const std::size_t length = sequence.length(), pages = pages_for(length);
  std::vector<std::byte> last;
  for (std::size_t cls = 0; cls < pool.classes(); ++cls) {
    if (pool.is_fixed(cls)) {
      if (sequence.state() != nullptr && !write({sequence.state()->bytes, pool.page_bytes(cls)}))
        return false;
      continue;
    }
    for (std::size_t i = 0; i < pages; ++i) {
      if (!is_held(pool, cls, sequence.first_page(cls), i)) continue;
      std::span<const std::byte> page(sequence.page(cls, i), pool.page_bytes(cls));
      if (i + 1 == pages && length % kPageTokens != 0) {
        last.assign(page.begin(), page.end());
        clear_slots(pool, cls, length % kPageTokens, last.data());
        page = last;
      }
      if (!write(page)) return false;
    }
  }
  return true;
}

Result<void> read_pages(const std::function<bool(std::span<std::byte>)>& read, std::size_t length,
                        std::span<const std::uint64_t> first, KvSequence& sequence) {
  KvPool& pool = sequence.pool();
  sequence.truncate(0);
  const std::uint64_t bytes = kv_bytes(pool, length, first);
  if (!pool.evict_for(static_cast<std::size_t>(bytes))) {
    return Error{ErrorCode::kOutOfMemory, "the KV cache has no room for " + std::to_string(length) +
                                              " tokens: they take " + std::to_string(bytes) + " bytes, and " +
                                              std::to_string(pool.bytes_in_use()) + " of its " +
                                              std::to_string(pool.budget_bytes()) + " are in use"};
  }
  NewPages taken{pool, std::vector<PageTable>(pool.classes())};
  for (PageTable& table : taken.tables) table.pages.assign(pages_for(length), nullptr);
  const auto read_page = [&](std::size_t cls, CachePage*& page) -> Result<void> {
    page = pool.allocate(cls);
    if (page == nullptr) {
      return Error{ErrorCode::kOutOfMemory,
                   "the machine has no memory for the KV cache of " + std::to_string(length) + " tokens"};
    }
    if (!read({page->bytes, pool.page_bytes(cls)}))
      return Error{ErrorCode::kIo, "the pages of a session cannot be read"};
    return {};
  };
  for (std::size_t cls = 0; cls < taken.tables.size(); ++cls) {
    PageTable& table = taken.tables[cls];
    if (pool.is_fixed(cls)) {
      if (length > 0) TRY(read_page(cls, taken.state));
      continue;
    }
    table.first_page = first[cls];
    for (std::size_t i = 0; i < table.pages.size(); ++i) {
      if (is_held(pool, cls, first[cls], i)) TRY(read_page(cls, table.pages[i]));
    }
  }
  sequence.adopt_pages(length, std::move(taken.tables), std::exchange(taken.state, nullptr));
  return {};
}

}  // namespace partita::internal
