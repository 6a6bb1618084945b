#include "engine/cache/prefix_cache.h"

#include <algorithm>
#include <new>

namespace partita::internal {
namespace {

std::size_t common(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

PrefixCache::PrefixCache(KvPool& pool, std::size_t limit_bytes) : pool_(pool), limit_(limit_bytes) {
  pool_.set_idle_cache(this);
}

PrefixCache::~PrefixCache() {
  for (const LruEntry& entry : lru_) pool_.release_cached(entry.cls, entry.node->pages[entry.cls]);
  pool_.set_idle_cache(nullptr);
}

std::size_t PrefixCache::find(const Node& root, std::span<const std::int32_t> keys,
                              std::vector<Node*>& path) const {
  path.clear();
  const Node* node = &root;
  std::size_t length = 0;
  while (true) {
    const auto rest = keys.subspan(length);
    Node* best = nullptr;
    std::size_t most = 0;
    for (const auto& child : node->children) {
      const std::size_t n = common(child->keys, rest);
      if (n > most) {
        most = n;
        best = child.get();
      }
      if (n == kPageTokens) break;
    }
    if (best == nullptr) return length;
    path.push_back(best);
    length += most;
    if (most < kPageTokens) return length;
    node = best;
  }
}

std::size_t PrefixCache::usable(std::span<Node* const> path, std::size_t length) const {
  std::vector<std::size_t> run(pool_.classes(), 0);    // consecutive cached pages, up to the last
  std::vector<std::size_t> sinks(pool_.classes(), 0);  // consecutive cached pages of sinks, from the first on
  std::size_t best = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::size_t end = std::min((i + 1) * kPageTokens, length);
    bool complete = true;
    for (std::size_t cls = 0; cls < run.size(); ++cls) {
      if (pool_.is_fixed(cls)) {
        complete = complete && path[i]->pages[cls] != nullptr && end == (i + 1) * kPageTokens;
        continue;
      }
      run[cls] = path[i]->pages[cls] != nullptr ? run[cls] + 1 : 0;
      if (run[cls] == i + 1) sinks[cls] = std::min(i + 1, pool_.sink_pages(cls));
      const std::size_t first_seen = pool_.first_seen_page(cls, end);
      complete = complete && run[cls] >= i + 1 - first_seen &&
                 sinks[cls] >= std::min(first_seen, pool_.sink_pages(cls));
    }
    if (complete) best = end;
  }
  return best;
}

bool PrefixCache::leaves_room_to_write(std::size_t length) const {
  if (pool_.budget_bytes() == 0 || length % kPageTokens == 0) return true;
  std::size_t bytes = 0;  // of the reused pages, and of copies of the last ones
  for (std::size_t cls = 0; cls < pool_.classes(); ++cls) {
    const std::size_t first_seen = pool_.first_seen_page(cls, length);
    const std::size_t pages = pages_for(length) - first_seen + std::min(first_seen, pool_.sink_pages(cls));
    bytes += (pages + 1) * pool_.page_bytes(cls);
  }
  return bytes <= pool_.budget_bytes();
}

bool PrefixCache::reuse_prefix(std::span<const std::int32_t> keys, KvSequence& sequence) {
  const std::size_t found =
      find(root_of(sequence), keys,
           path_);  // a statement of its own: the evaluation order of arguments is unspecified
  std::size_t length = usable(path_, found);
  if (!leaves_room_to_write(length)) {
    path_.resize(length / kPageTokens);
    length = usable(path_, path_.size() * kPageTokens);
  }
  if (length <= sequence.length()) return false;
  std::vector<PageTable> tables(pool_.classes());
  for (PageTable& table : tables)
    table.pages.assign(pages_for(length), nullptr);  // nothing throws after this
  for (std::size_t cls = 0; cls < tables.size(); ++cls) {
    PageTable& table = tables[cls];
    table.first_page = pool_.is_fixed(cls) ? table.pages.size() - 1 : pool_.first_seen_page(cls, length);
    for (std::size_t i = table.pages.size(); i > 0; --i) {
      if (i <= table.first_page && i > pool_.sink_pages(cls)) continue;
      table.pages[i - 1] = path_[i - 1]->pages[cls];
      pool_.retain(cls, table.pages[i - 1]);
      touch(*path_[i - 1], cls);
    }
  }
  CachePage* state = nullptr;
  if (const auto fixed = pool_.fixed_class()) {
    state = tables[*fixed].pages.back();
    pool_.retain(*fixed, state);
  }
  sequence.adopt_pages(length, std::move(tables), state);
  return true;
}

std::size_t PrefixCache::known_prefix(std::span<const std::int32_t> keys, const KvSequence& sequence) {
  return find(root_of(sequence), keys, path_) / kPageTokens * kPageTokens;
}

PrefixCache::Node* PrefixCache::child(Node& node, std::span<const std::int32_t> keys) {
  for (const auto& child : node.children) {
    if (std::equal(keys.begin(), keys.end(), child->keys.begin())) return child.get();
  }
  auto fresh = std::make_unique<Node>();
  fresh->parent = &node;
  fresh->keys.assign(keys.begin(), keys.end());
  fresh->pages.assign(pool_.classes(), nullptr);
  fresh->lru_entry.assign(pool_.classes(), lru_.end());
  node.children.push_back(std::move(fresh));
  return node.children.back().get();
}

void PrefixCache::cache_page(Node& node, std::size_t index, KvSequence& sequence) {
  for (std::size_t cls = 0; cls < pool_.classes(); ++cls) {
    CachePage* page = sequence.held(cls, index);
    if (page == nullptr || page == node.pages[cls]) continue;
    if (node.pages[cls] != nullptr) {
      sequence.exchange(cls, index, node.pages[cls]);
    } else {
      node.lru_entry[cls] = lru_.insert(lru_.end(), {&node, cls});  // may throw, so it comes before changes
      pool_.retain_cached(page);
      node.pages[cls] = page;
    }
  }
}

void PrefixCache::insert(std::span<const std::int32_t> keys, KvSequence& sequence) {
  Node* last = &root_of(sequence);
  try {
    for (std::size_t i = 0; i < sequence.length() / kPageTokens; ++i) {
      last = child(*last, keys.subspan(i * kPageTokens, kPageTokens));
      cache_page(*last, i, sequence);
    }
  } catch (const std::bad_alloc&) {
    // If memory runs out, the rest is not cached.
  }
  // From the end to the beginning, so that a node is always more recently used than the nodes below it.
  for (Node* node = last; node->parent != nullptr; node = node->parent) {
    for (std::size_t cls = 0; cls < pool_.classes(); ++cls) {
      if (node->pages[cls] != nullptr) touch(*node, cls);
    }
  }
  remove_empty(last);
}

void PrefixCache::touch(Node& node, std::size_t cls) { lru_.splice(lru_.end(), lru_, node.lru_entry[cls]); }

void PrefixCache::drop_page(Node& node, std::size_t cls) {
  if (node.pages[cls] == nullptr) return;
  pool_.release_cached(cls, node.pages[cls]);
  node.pages[cls] = nullptr;
  lru_.erase(node.lru_entry[cls]);
}

bool PrefixCache::is_whole(std::size_t cls) const { return pool_.window(cls) == 0 && !pool_.is_fixed(cls); }

bool PrefixCache::is_evictable(const LruEntry& entry) const {
  if (entry.node->pages[entry.cls]->references > 1) return false;
  return !is_whole(entry.cls) || entry.node->children.empty();
}

/// Removes a leaf without pages, and its ancestors that then are such leaves.
void PrefixCache::remove_empty(Node* leaf) {
  const auto holds_nothing = [](const Node& node) {
    return std::all_of(node.pages.begin(), node.pages.end(),
                       [](const CachePage* page) { return page == nullptr; });
  };
  while (leaf->parent != nullptr && leaf->children.empty() && holds_nothing(*leaf)) {
    Node* parent = leaf->parent;
    std::erase_if(parent->children, [&](const auto& child) { return child.get() == leaf; });
    leaf = parent;
  }
}

void PrefixCache::evict(std::size_t bytes) {
  const std::size_t idle = pool_.idle_bytes();
  const std::size_t target = idle - std::min(bytes, idle);
  for (auto at = lru_.begin(); at != lru_.end() && pool_.idle_bytes() > target;) {
    if (!is_evictable(*at)) {
      ++at;
      continue;
    }
    Node* node = at->node;
    const bool whole = is_whole(at->cls);
    const std::size_t cls = at->cls;
    while (at != lru_.end() && at->node == node && (whole || at->cls == cls)) ++at;
    for (std::size_t c = 0; c < pool_.classes(); ++c) {
      if (whole || c == cls) drop_page(*node, c);
    }
    remove_empty(node);
  }
}

void PrefixCache::trim() {
  if (pool_.idle_bytes() > limit_) evict(pool_.idle_bytes() - limit_);
}

}  // namespace partita::internal
