// The prefix cache: a found prefix has the right contents, and pages are evicted at the limit.
#include "engine/cache/prefix_cache.h"

#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>

#include "engine/cache/kv_file.h"
#include "tests/catch.h"
#include "tests/sanitized.h"

using namespace partita;

using namespace partita::internal;

namespace {

using Keys = std::vector<std::int32_t>;

/// Classes by window and sinks, one layer each; the pages are small, so that tests can use many.
std::vector<StateShape> layers_of(std::vector<std::uint32_t> windows, std::vector<std::uint32_t> sinks = {}) {
  std::vector<StateShape> layers;
  sinks.resize(windows.size());
  for (std::size_t i = 0; i < windows.size(); ++i)
    layers.push_back(KvShape{.heads = 1, .widths = {16, 16}, .window = windows[i], .sinks = sinks[i]});
  return layers;
}

std::size_t page_set(const KvPool& pool) { return pool.min_bytes_for(1); }

/// The cache contents for a token: a function of it and all tokens before it.
std::vector<std::uint64_t> contents(const Keys& keys) {
  std::vector<std::uint64_t> marks;
  std::uint64_t hash = 1469598103934665603U;
  for (const std::int32_t key : keys) {
    hash = (hash ^ static_cast<std::uint32_t>(key)) * 1099511628211U;
    marks.push_back(hash ^ (hash >> 29));
  }
  return marks;
}

/// In the last head's V, which is token-major: 16 numbers of two bytes a token.
std::byte* slot(const KvSequence& sequence, std::size_t cls, std::size_t at) {
  std::byte* page = sequence.page(cls, at / kPageTokens);
  const std::size_t values = sequence.pool().page_bytes(cls) - kPageTokens * 32;
  return page == nullptr ? nullptr : page + values + at % kPageTokens * 32;
}

/// Processes keys [sequence.length(), end) like an engine: reserves, writes, advances.
bool read(KvSequence& sequence, const Keys& keys, std::size_t end) {
  if (end <= sequence.length()) return true;
  if (!sequence.reserve(end - sequence.length()).ok()) return false;
  const auto marks = contents(keys);
  for (std::size_t at = sequence.length(); at < end; ++at) {
    for (std::size_t cls = 0; cls < sequence.pool().classes(); ++cls) {
      std::memcpy(slot(sequence, cls, at), &marks[at], sizeof marks[at]);
    }
  }
  sequence.advance(end - sequence.length());
  return true;
}

/// Whether everything that a token after the sequence attends to is what processing its keys would have
/// written.
bool holds(const KvSequence& sequence, const Keys& keys) {
  const auto marks = contents(keys);
  for (std::size_t cls = 0; cls < sequence.pool().classes(); ++cls) {
    const std::size_t window = sequence.pool().window(cls), length = sequence.length();
    for (std::size_t at = 0; at < length; ++at) {
      const bool sink = at < 64 * sequence.pool().sink_pages(cls);
      if (window != 0 && !sink && length - at >= window) continue;
      const std::byte* bytes = slot(sequence, cls, at);
      if (bytes == nullptr || std::memcmp(bytes, &marks[at], sizeof marks[at]) != 0) return false;
    }
  }
  return true;
}

Keys counting(std::size_t n, std::int32_t first = 0) {
  Keys keys(n);
  for (std::size_t i = 0; i < n; ++i) keys[i] = first + static_cast<std::int32_t>(i);
  return keys;
}

}  // namespace

TEST_CASE("A cached prefix is reused, to the token") {
  KvPool pool(layers_of({0}), KvType::kF16, 0);
  PrefixCache prefixes(pool, std::size_t{1} << 20);
  const Keys keys = counting(200);
  KvSequence first(pool);
  CHECK_FALSE(prefixes.reuse_prefix(keys, first));
  REQUIRE(read(first, keys, 200));
  prefixes.insert(keys, first);
  const std::size_t used = pool.bytes_in_use();

  KvSequence same(pool);
  REQUIRE(prefixes.reuse_prefix(keys, same));
  CHECK(same.length() == 192);  // whole pages are cached
  CHECK(holds(same, keys));
  CHECK(pool.bytes_in_use() == used);
  CHECK_FALSE(prefixes.reuse_prefix(keys, same));  // it has that already

  Keys other = keys;
  other[100] = -1;
  KvSequence branch(pool);
  REQUIRE(prefixes.reuse_prefix(other, branch));
  CHECK(branch.length() == 100);
  REQUIRE(read(branch, other, 200));  // copies the half shared page (copy-on-write)
  CHECK(holds(branch, other));
  CHECK(holds(first, keys));
  prefixes.insert(other, branch);
  KvSequence again(pool);
  REQUIRE(prefixes.reuse_prefix(other, again));
  CHECK(again.length() == 192);
  CHECK(holds(again, other));

  other[0] = -1;
  KvSequence unrelated(pool);
  CHECK_FALSE(prefixes.reuse_prefix(other, unrelated));
  CHECK_FALSE(prefixes.reuse_prefix({}, unrelated));
}

TEST_CASE("Sequences that are rotated for other lengths share no pages") {
  KvPool pool(layers_of({0}), KvType::kF16, 0);
  PrefixCache prefixes(pool, std::size_t{1} << 20);
  const Keys keys = counting(200);
  KvSequence first(pool);
  REQUIRE(read(first, keys, 200));
  prefixes.insert(keys, first);
  KvSequence other(pool);
  other.set_rope_limit(300);
  CHECK_FALSE(prefixes.reuse_prefix(keys, other));
  REQUIRE(read(other, keys, 200));
  prefixes.insert(keys, other);
  CHECK(other.held(0, 0) != first.held(0, 0));
  KvSequence third(pool);
  third.set_rope_limit(301);
  CHECK_FALSE(prefixes.reuse_prefix(keys, third));
  third.set_rope_limit(300);
  REQUIRE(prefixes.reuse_prefix(keys, third));
  CHECK(third.held(0, 0) == other.held(0, 0));
  CHECK(third.fork().rope_limit() == 300);
  CHECK(first.fork().rope_limit() == 0);

  third.set_rope_limit(300);
  CHECK(third.length() == 192);
  third.set_rope_limit(0);
  CHECK(third.length() == 0);
  REQUIRE(prefixes.reuse_prefix(keys, third));
  CHECK(third.held(0, 0) == first.held(0, 0));
  third.truncate(0);
  other.truncate(0);
  prefixes.evict(pool.bytes_in_use());
  CHECK_FALSE(prefixes.reuse_prefix(keys, other));
}

TEST_CASE("A reused prefix leaves enough of the budget to continue") {
  for (const std::vector<std::uint32_t>& windows : {std::vector<std::uint32_t>{0}, {0, 64}}) {
    const std::size_t page = page_set(KvPool(layers_of(windows), KvType::kF16, 0));
    for (const std::size_t budget : {2, 3}) {
      KvPool pool(layers_of(windows), KvType::kF16, budget * page);
      PrefixCache prefixes(pool, std::size_t{1} << 20);
      const Keys keys = counting(128);
      {
        KvSequence first(pool);
        REQUIRE(read(first, keys, 128));
        prefixes.insert(keys, first);
      }
      Keys other = keys;
      other[100] = -1;
      KvSequence branch(pool);
      REQUIRE(prefixes.reuse_prefix(other, branch));
      CHECK(branch.length() == (budget == 2 ? 64 : 100));  // the partly shared page would be copied
      REQUIRE(read(branch, other, 128));
      CHECK(holds(branch, other));
    }
  }
}

TEST_CASE("Pages outlive their sequences, up to the limit; the least recently used are evicted first") {
  KvPool pool(layers_of({0, 100}), KvType::kF16, 0);
  PrefixCache prefixes(pool, 6 * page_set(pool));
  const Keys a = counting(256, 0), b = counting(256, 1000);
  for (const Keys* keys : {&a, &b}) {
    KvSequence sequence(pool);
    REQUIRE(read(sequence, *keys, 256));
    prefixes.insert(*keys, sequence);
    prefixes.trim();
  }
  CHECK(pool.bytes_in_use() == 8 * page_set(pool));
  CHECK(pool.idle_bytes() == 8 * page_set(pool));
  {
    KvSequence touch(pool);
    REQUIRE(prefixes.reuse_prefix(a, touch));  // b is now the least recently used
    CHECK(touch.length() == 256);
    CHECK(pool.idle_bytes() < 8 * page_set(pool));
  }
  prefixes.trim();
  CHECK(pool.idle_bytes() <= 6 * page_set(pool));
  KvSequence kept(pool), cut(pool);
  REQUIRE(prefixes.reuse_prefix(a, kept));
  CHECK(kept.length() == 256);
  if (prefixes.reuse_prefix(b, cut)) CHECK(cut.length() < 256);
  CHECK(holds(kept, a));
  CHECK(holds(cut, b));
}

TEST_CASE("Idle pages are evicted within the budget, pages in use are not") {
  const KvPool sizes(layers_of({0}), KvType::kF16, 0);
  KvPool pool(layers_of({0}), KvType::kF16, 5 * page_set(sizes));
  PrefixCache prefixes(pool, 5 * page_set(sizes));
  const Keys a = counting(256, 0), b = counting(320, 1000);
  {
    KvSequence sequence(pool);
    REQUIRE(read(sequence, a, 256));
    prefixes.insert(a, sequence);
  }
  KvSequence user(pool);
  REQUIRE(prefixes.reuse_prefix(std::span(a).first(64), user));
  KvSequence needy(pool);
  CHECK_FALSE(read(needy, b, 320));                // five pages, and the user has one
  CHECK(pool.idle_bytes() == 3 * page_set(pool));  // evicting would not suffice, so nothing is evicted
  REQUIRE(read(needy, b, 256));
  CHECK(holds(user, a));
  CHECK(holds(needy, b));
  CHECK(pool.idle_bytes() == 0);
}

TEST_CASE("A duplicate is released for the cached page") {
  KvPool pool(layers_of({0, 64}), KvType::kF16, 0);
  PrefixCache prefixes(pool, std::size_t{1} << 20);
  const Keys keys = counting(128);
  KvSequence a(pool), b(pool);
  REQUIRE(read(a, keys, 128));
  REQUIRE(read(b, keys, 128));
  CHECK(pool.bytes_in_use() == 4 * page_set(pool));
  prefixes.insert(keys, a);
  prefixes.insert(keys, b);
  CHECK(pool.bytes_in_use() == 2 * page_set(pool));
  CHECK(holds(b, keys));
}

TEST_CASE("A class with a window needs only the pages of the window, and releases the rest") {
  KvPool pool(layers_of({0, 100}), KvType::kF16, 0);
  PrefixCache prefixes(pool, std::size_t{1} << 20);
  const Keys keys = counting(640);
  KvSequence reader(pool);
  for (std::size_t end = 64; end <= 640; end += 64) {  // as in prefill: insert, then release
    REQUIRE(read(reader, keys, end));
    prefixes.insert(keys, reader);
    reader.release_unseen();
  }
  Keys branch = keys;
  branch[300] = -1;
  KvSequence taken(pool);
  REQUIRE(prefixes.reuse_prefix(branch, taken));
  CHECK(taken.length() == 300);
  CHECK(holds(taken, branch));
  CHECK(taken.page(pool.class_of(1), 2) == nullptr);  // before the window of token 300
  CHECK(taken.page(pool.class_of(1), 3) != nullptr);

  // Without pages of the window in the middle, a shorter prefix is used.
  prefixes.evict(3 * pool.page_bytes(pool.class_of(1)));
  KvSequence later(pool);
  REQUIRE(prefixes.reuse_prefix(keys, later));
  CHECK(later.length() == 640);
  CHECK(holds(later, keys));
}

TEST_CASE("A class with a window and sinks needs the pages of both") {
  KvPool pool(layers_of({100}, {128}), KvType::kF16, 0);
  PrefixCache prefixes(pool, std::size_t{1} << 20);
  const Keys keys = counting(640);
  {
    KvSequence reader(pool);
    for (std::size_t end = 64; end <= 640; end += 64) {
      REQUIRE(read(reader, keys, end));
      prefixes.insert(keys, reader);
      reader.release_unseen();
    }
    CHECK(reader.page(0, 1) != nullptr);
    CHECK(reader.page(0, 2) == nullptr);
  }
  Keys branch = keys;
  branch[500] = -1;
  {
    KvSequence taken(pool);
    REQUIRE(prefixes.reuse_prefix(branch, taken));
    CHECK(taken.length() == 500);
    CHECK(holds(taken, branch));
    CHECK(taken.page(0, 1) != nullptr);
    CHECK(taken.page(0, 2) == nullptr);
    CHECK(taken.truncation_floor() == 384 + 99);
    taken.truncate(490);
    CHECK(holds(taken, branch));
    // All unused pages are evicted; the window of token 490 and the sinks stay and are used.
    prefixes.evict(std::size_t{1} << 20);
    CHECK(pool.idle_bytes() == 0);
    KvSequence again(pool);
    REQUIRE(prefixes.reuse_prefix(keys, again));
    CHECK(again.length() == 512);  // a whole page of the other sequence
    CHECK(holds(again, keys));
  }
  // Without its sinks a prefix is unusable.
  prefixes.evict(std::size_t{1} << 20);
  KvSequence late(pool);
  CHECK_FALSE(prefixes.reuse_prefix(keys, late));
}

TEST_CASE("A hundred thousand random operations with shared prefixes keep contents and accounts exact") {
  const int operations = test::all_or(100000, 20000);
  for (const auto& layers : {layers_of({0, 100}), layers_of({64, 100}), layers_of({0}),
                             layers_of({100, 64}, {128, 64}), layers_of({0, 100}, {0, 64})}) {
    const KvPool sizes(layers, KvType::kF16, 0);
    const std::size_t budget = 30 * page_set(sizes);
    KvPool pool(layers, KvType::kF16, budget);
    std::map<std::string, int> happened;
    {
      PrefixCache prefixes(pool, 16 * page_set(sizes));
      struct Open {
        KvSequence sequence;
        Keys keys;
      };
      std::vector<Open> all;
      std::vector<Keys> texts;  // prefixes of new ones
      std::mt19937_64 random(11);
      const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
      for (int operation = 0; operation < operations; ++operation) {
        const std::size_t i = all.empty() ? 0 : below(all.size());
        const std::size_t choice = below(100);
        if (all.empty() || (choice < 20 && all.size() < 12)) {
          Keys keys;
          if (!texts.empty() && below(4) != 0) {
            const Keys& like = texts[below(texts.size())];
            keys.assign(like.begin(), like.begin() + static_cast<std::ptrdiff_t>(below(like.size() + 1)));
          }
          const std::size_t own = 1 + below(300);
          for (std::size_t n = 0; n < own; ++n) keys.push_back(static_cast<std::int32_t>(below(1000)));
          if (keys.size() > 700) keys.resize(700);
          if (texts.size() < 20)
            texts.push_back(keys);
          else
            texts[below(20)] = keys;
          all.push_back({KvSequence(pool), keys});
          happened["reuse"] += prefixes.reuse_prefix(keys, all.back().sequence);
        } else if (choice < 60) {
          Open& open = all[i];
          const std::size_t end = open.sequence.length() + below(150);
          while (open.keys.size() < end) open.keys.push_back(static_cast<std::int32_t>(below(1000)));
          const std::size_t before = open.sequence.length();
          if (read(open.sequence, open.keys, end)) {
            if (below(4) != 0) prefixes.insert(open.keys, open.sequence);
            if (below(2) == 0) open.sequence.release_unseen();
            ++happened["step"];
          } else {
            REQUIRE(open.sequence.length() == before);
            ++happened["refuse"];
          }
        } else if (choice < 68 && all.size() < 12) {
          all.push_back({all[i].sequence.fork(), all[i].keys});
          ++happened["fork"];
        } else if (choice < 78) {
          Open& open = all[i];
          const std::size_t to = below(open.sequence.length() + 1);
          open.sequence.truncate(to);
          open.keys.resize(std::min(open.keys.size(), to + below(3)));
          open.keys.resize(std::max(open.keys.size(), open.sequence.length()));
          ++happened["roll back"];
        } else if (choice < 82) {
          happened["reuse later"] += prefixes.reuse_prefix(all[i].keys, all[i].sequence);
        } else if (choice < 86) {
          prefixes.trim();
          REQUIRE(pool.idle_bytes() <= 16 * page_set(sizes));
          ++happened["trim"];
        } else if (choice < 88) {
          prefixes.evict(below(budget));
          ++happened["give up"];
        } else if (choice < 91) {
          // Saved, and loaded into another sequence.
          const Open& from = all[i];
          Open& to = all[below(all.size())];
          std::vector<std::byte> saved;
          write_pages(from.sequence, [&](std::span<const std::byte> page) {
            saved.insert(saved.end(), page.begin(), page.end());
            return true;
          });
          const auto first = first_pages(from.sequence);
          const std::size_t length = from.sequence.length();
          REQUIRE(saved.size() == kv_bytes(pool, length, first));
          const Keys keys = from.keys;
          std::span<const std::byte> rest = saved;
          const auto read = [&rest](std::span<std::byte> page) {
            std::copy_n(rest.begin(), page.size(), page.begin());
            rest = rest.subspan(page.size());
            return true;
          };
          const bool loaded = read_pages(read, length, first, to.sequence).ok();
          to.keys = loaded ? keys : Keys(keys.begin(), keys.begin());
          ++happened[loaded ? "load" : "load refused"];
        } else {
          std::swap(all[i], all.back());
          all.pop_back();
          ++happened["cancel"];
        }
        REQUIRE(pool.bytes_in_use() <= budget);
        std::set<const std::byte*> held;
        std::size_t bytes = 0;
        for (const Open& open : all) {
          for (std::size_t cls = 0; cls < pool.classes(); ++cls) {
            for (std::size_t p = 0; p < pages_for(open.sequence.length()); ++p) {
              const std::byte* page = open.sequence.page(cls, p);
              if (page != nullptr && held.insert(page).second) bytes += pool.page_bytes(cls);
            }
          }
        }
        REQUIRE(pool.bytes_in_use() == bytes + pool.idle_bytes());
        if (!all.empty()) {
          const Open& checked = all[below(all.size())];
          REQUIRE(holds(checked.sequence, checked.keys));
        }
      }
      for (const Open& open : all) CHECK(holds(open.sequence, open.keys));
      all.clear();
      CHECK(pool.bytes_in_use() == pool.idle_bytes());
    }
    CHECK(pool.bytes_in_use() == 0);
    CHECK(pool.idle_bytes() == 0);
    for (const char* kind : {"reuse", "step", "refuse", "fork", "roll back", "reuse later", "trim", "load",
                             "load refused", "cancel"}) {
      INFO(kind << " happened " << happened[kind] << " times");
      CHECK(happened[kind] > operations / 1000);
    }
  }
}
