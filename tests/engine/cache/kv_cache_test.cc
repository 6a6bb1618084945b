// The paged KV cache: contents, sharing, copy-on-write and exact accounting.
#include "engine/cache/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "tests/catch.h"

using namespace partita;

using namespace partita::internal;

namespace {

/// Layers with these windows and sinks, of two KV heads that are 16 wide.
std::vector<StateShape> layers_of(std::vector<KvShape> shapes) {
  std::vector<StateShape> layers;
  for (KvShape& shape : shapes) {
    shape.heads = 2;
    shape.widths = {16, 16};
    layers.emplace_back(shape);
  }
  return layers;
}

/// Four classes: a window of 100, global, a window of 64, and one of 100 with 128 sinks; the pages are small,
/// so that tests can use many.
std::vector<StateShape> small_layers() {
  return layers_of({{.window = 100}, {}, {.window = 64}, {.window = 100}, {.window = 100, .sinks = 128}});
}

constexpr std::size_t kClasses = 4;
constexpr std::size_t kSideBytes = 64 * 16 * 2;  // K or V of one head in one page, f16

/// The position of the mark of the test for token `slot` of a page: 16 bytes in the V of the last head, which
/// is token-major.
std::byte* mark_of(const KvPool& pool, std::byte* page, std::size_t cls, std::size_t slot) {
  return page + pool.page_bytes(cls) - kSideBytes + slot * 32;
}

/// A sequence and its expected contents: one mark per token.
struct Shadowed {
  KvSequence sequence;
  std::vector<std::uint64_t> marks;
  std::size_t released_below[kClasses] =
      {};  // end of the tokens whose pages release_unseen() released, sinks excepted
};

/// One page of every class.
std::size_t page_set_of(const KvPool& pool) {
  std::size_t bytes = 0;
  for (std::size_t cls = 0; cls < pool.classes(); ++cls) bytes += pool.page_bytes(cls);
  return bytes;
}

void append(KvPool& pool, Shadowed& s, std::size_t n, std::uint64_t& next_mark) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t at = s.marks.size();
    s.marks.push_back(next_mark++);
    for (std::size_t cls = 0; cls < kClasses; ++cls) {
      std::memcpy(mark_of(pool, s.sequence.page(cls, at / 64), cls, at % 64), &s.marks[at],
                  sizeof s.marks[at]);
    }
  }
  s.sequence.advance(n);
}

bool holds_its_marks(const KvPool& pool, const Shadowed& s) {
  for (std::size_t cls = 0; cls < kClasses; ++cls) {
    for (std::size_t at = 0; at < s.marks.size(); ++at) {
      std::byte* page = s.sequence.page(cls, at / 64);
      const bool released = at >= 64 * pool.sink_pages(cls) && at < s.released_below[cls];
      if ((page == nullptr) != released) return false;
      if (released) continue;
      if (std::memcmp(mark_of(pool, page, cls, at % 64), &s.marks[at], sizeof s.marks[at]) != 0) {
        return false;
      }
    }
  }
  return s.sequence.length() == s.marks.size();
}

/// Bytes of the distinct pages that sequences hold; `reserved` pages beyond the length count too.
std::size_t distinct_bytes(const KvPool& pool, const std::vector<Shadowed>& all,
                           const std::vector<std::size_t>& page_counts) {
  std::size_t bytes = 0;
  for (std::size_t cls = 0; cls < kClasses; ++cls) {
    std::set<const std::byte*> pages;
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t p = 0; p < page_counts[i]; ++p) pages.insert(all[i].sequence.page(cls, p));
    }
    pages.erase(nullptr);
    bytes += pages.size() * pool.page_bytes(cls);
  }
  return bytes;
}

}  // namespace

TEST_CASE("Layers of one window share a class, and offsets are dense and aligned") {
  const KvPool pool(small_layers(), KvType::kF16, 0);
  REQUIRE(pool.classes() == kClasses);
  CHECK(pool.class_of(0) == pool.class_of(3));
  CHECK(pool.class_of(0) != pool.class_of(1));
  CHECK(pool.window(pool.class_of(0)) == 100);
  CHECK(pool.window(pool.class_of(1)) == 0);
  CHECK(pool.class_of(4) != pool.class_of(0));  // it has sinks
  CHECK(pool.window(pool.class_of(4)) == 100);
  CHECK(pool.sink_pages(pool.class_of(4)) == 2);
  CHECK(pool.sink_pages(pool.class_of(0)) == 0);
  CHECK(pool.page_bytes(pool.class_of(0)) == 2 * 2 * 2 * kSideBytes);
  CHECK(pool.page_bytes(pool.class_of(2)) == 2 * 2 * kSideBytes);
  CHECK(pool.k_offset(0, 0) == 0);
  CHECK(pool.v_offset(0, 0) == kSideBytes);
  CHECK(pool.k_offset(0, 1) == 2 * kSideBytes);
  CHECK(pool.k_offset(3, 0) == 4 * kSideBytes);
  CHECK(pool.v_offset(3, 1) == 7 * kSideBytes);
  CHECK(pool.k_offset(2, 0) == 0);

  const KvPool wide(small_layers(), KvType::kF32, 0);
  CHECK(wide.page_bytes(wide.class_of(2)) == 2 * 2 * 2 * kSideBytes);
  CHECK(wide.type() == KvType::kF32);
  const KvPool bytes(small_layers(), KvType::kF16I8, 0);
  CHECK(bytes.v_offset(0, 0) == kSideBytes);
  CHECK(bytes.k_offset(0, 1) == kSideBytes + 64 * (4 + 16));
}

TEST_CASE("Latents are kept once, whatever the type of values is") {
  const StateShape layers[] = {KvShape{.heads = 1, .widths = {48, 32}, .latent = true},
                               KvShape{.heads = 1, .widths = {16, 16}}};
  for (const KvType type : kKvTypes) {
    const KvPool pool(layers, type, 0);
    const std::size_t latents = 64 * 48 * bytes_of(kv_keys(type));
    CHECK(pool.v_offset(0, 0) == pool.k_offset(0, 0));
    CHECK(pool.k_offset(1, 0) == latents);
    CHECK(pool.page_bytes(0) == latents + kv_key_bytes(type, 16) + kv_value_bytes(type, 16));
    CHECK(bytes_per_token({layers, 1}, type) == 48 * bytes_of(kv_keys(type)));
  }
}

TEST_CASE("New pages are zero, aligned, and only as many as are needed") {
  KvPool pool(small_layers(), KvType::kF16, 0);
  const std::size_t page_set = page_set_of(pool);
  KvSequence s(pool);
  CHECK(pool.bytes_in_use() == 0);
  REQUIRE(s.reserve(0).ok());
  CHECK(pool.bytes_in_use() == 0);
  REQUIRE(s.reserve(64).ok());
  CHECK(pool.bytes_in_use() == page_set);
  REQUIRE(s.reserve(65).ok());
  CHECK(pool.bytes_in_use() == 2 * page_set);
  for (std::size_t cls = 0; cls < kClasses; ++cls) {
    const std::byte* page = s.page(cls, 1);
    CHECK(reinterpret_cast<std::uintptr_t>(page) % 64 == 0);
    CHECK(std::all_of(page, page + pool.page_bytes(cls), [](std::byte b) { return b == std::byte{0}; }));
  }
  s.advance(3);
  s.truncate(s.length());  // releases pages that were only reserved
  CHECK(pool.bytes_in_use() == page_set);
  s.truncate(0);
  CHECK(pool.bytes_in_use() == 0);
}

TEST_CASE("A fork shares everything and copies the page it writes to") {
  KvPool pool(small_layers(), KvType::kF16, 0);
  const std::size_t page_set = page_set_of(pool);
  std::uint64_t mark = 1;
  Shadowed a{KvSequence(pool), {}};
  REQUIRE(a.sequence.reserve(200).ok());
  append(pool, a, 100, mark);
  Shadowed b{a.sequence.fork(), a.marks};
  CHECK(pool.bytes_in_use() == 4 * page_set);  // of 200 reserved tokens; the fork has only those written
  CHECK(b.sequence.page(0, 1) == a.sequence.page(0, 1));
  REQUIRE(b.sequence.reserve(1).ok());
  CHECK(b.sequence.page(0, 0) == a.sequence.page(0, 0));
  CHECK(b.sequence.page(0, 1) != a.sequence.page(0, 1));
  append(pool, b, 1, mark);
  REQUIRE(a.sequence.reserve(1).ok());
  append(pool, a, 1, mark);
  CHECK(holds_its_marks(pool, a));
  CHECK(holds_its_marks(pool, b));
  CHECK(pool.bytes_in_use() == 5 * page_set);

  SECTION("a page whose other owner is gone is written in place") {
    Shadowed c{b.sequence.fork(), b.marks};
    const std::byte* page = c.sequence.page(0, 1);
    b.sequence = KvSequence(pool);
    REQUIRE(c.sequence.reserve(1).ok());
    CHECK(c.sequence.page(0, 1) == page);
  }
  SECTION("at a page's end nothing is copied") {
    a.sequence.truncate(64);
    Shadowed c{a.sequence.fork(), {}};
    const std::size_t before = pool.bytes_in_use();
    REQUIRE(c.sequence.reserve(1).ok());
    CHECK(pool.bytes_in_use() == before + page_set);
  }
}

TEST_CASE("The budget is a limit, and an error leaves the sequence unchanged") {
  const std::vector<StateShape> layers = small_layers();
  const KvPool sizes(layers, KvType::kF16, 0);
  const std::size_t page_set = page_set_of(sizes);
  KvPool pool(layers, KvType::kF16, 3 * page_set);
  CHECK(pool.budget_bytes() == 3 * page_set);
  std::uint64_t mark = 1;
  Shadowed s{KvSequence(pool), {}};
  REQUIRE(s.sequence.reserve(100).ok());
  append(pool, s, 100, mark);
  auto refused = s.sequence.reserve(93);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kOutOfMemory);
  CHECK(refused.error().message == "the KV cache has no room for 93 more tokens after 100: they take " +
                                       std::to_string(2 * page_set) + " bytes, and " +
                                       std::to_string(2 * page_set) + " of its " +
                                       std::to_string(3 * page_set) + " are in use");
  CHECK(holds_its_marks(pool, s));
  CHECK(pool.bytes_in_use() == 2 * page_set);
  REQUIRE(s.sequence.reserve(92).ok());
  CHECK(pool.bytes_in_use() == 3 * page_set);

  // A private copy counts: three pages are in use, and a fork that writes would need a fourth.
  KvSequence fork = s.sequence.fork();
  CHECK_FALSE(fork.reserve(1).ok());
  CHECK(fork.page(0, 1) == s.sequence.page(0, 1));
  s.sequence.truncate(100);
  CHECK(fork.reserve(1).ok());

  CHECK_FALSE(s.sequence.reserve(std::numeric_limits<std::size_t>::max()).ok());
  CHECK_FALSE(s.sequence.reserve(std::size_t{1} << 31).ok());
  CHECK(holds_its_marks(pool, s));
}

TEST_CASE("Free pages of one class are returned for another class within the budget") {
  const std::vector<StateShape> layers = layers_of({{}, {.window = 64}});
  const KvPool sizes(layers, KvType::kF16, 0);
  const std::size_t page = sizes.page_bytes(0);
  REQUIRE(sizes.page_bytes(1) == page);
  KvPool pool(layers, KvType::kF16, 14 * page);
  KvSequence s(pool);
  REQUIRE(s.reserve(384).ok());
  s.advance(384);
  CHECK(pool.bytes_in_use() == 12 * page);
  s.release_unseen();  // keeps one of six pages of the window
  CHECK(pool.bytes_in_use() == 7 * page);
  REQUIRE(s.reserve(192).ok());  // three more of each class: 13 pages, some of them reused
  CHECK(pool.bytes_in_use() == 13 * page);
  CHECK_FALSE(s.reserve(193).ok());
}

TEST_CASE("Free pages stay in memory while the budget allows it") {
  const std::vector<StateShape> layers = layers_of({{}, {.window = 64}});
  const std::size_t page = KvPool(layers, KvType::kF16, 0).page_bytes(0);
  KvPool pool(layers, KvType::kF16, 40 * page);
  for (int i = 0; i < 20; ++i) {
    KvSequence s(pool);
    REQUIRE(s.reserve(128).ok());  // two pages of each class, the same ones each time
    for (std::size_t cls = 0; cls < 2; ++cls) {
      for (std::size_t p = 0; p < 2; ++p) std::memset(s.page(cls, p), 7, page);
    }
  }
  // Four pages of the first class are new; two of the second stay free and are then reused unchanged.
  KvSequence s(pool);
  REQUIRE(s.reserve(384).ok());
  CHECK(pool.bytes_in_use() == 12 * page);
  for (std::size_t cls = 0; cls < 2; ++cls) {
    for (std::size_t p = 0; p < 2; ++p) {
      const std::byte* const bytes = s.page(cls, p);
      CHECK(std::all_of(bytes, bytes + page, [](std::byte b) { return b == std::byte{7}; }));
    }
  }
}

TEST_CASE("Pages outside a window are released, and truncation has a floor") {
  KvPool pool(small_layers(), KvType::kF16, 0);
  std::uint64_t mark = 1;
  Shadowed s{KvSequence(pool), {}};
  REQUIRE(s.sequence.reserve(300).ok());
  append(pool, s, 300, mark);
  CHECK(s.sequence.truncation_floor() == 0);
  s.sequence.release_unseen();
  // The token at 300 attends to keys from 201 on with a window of 100, from 237 on with one of 64: both are
  // in page 3. Pages 0 and 1 are sinks of one class.
  const std::size_t global = pool.class_of(1), wide = pool.class_of(0), narrow = pool.class_of(2),
                    sinks = pool.class_of(4);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(s.sequence.page(global, i) != nullptr);
    CHECK((s.sequence.page(wide, i) != nullptr) == (i >= 3));
    CHECK((s.sequence.page(narrow, i) != nullptr) == (i >= 3));
    CHECK((s.sequence.page(sinks, i) != nullptr) == (i < 2 || i >= 3));
  }
  CHECK(s.sequence.truncation_floor() == 192 + 99);
  s.released_below[wide] = s.released_below[narrow] = s.released_below[sinks] = 192;
  CHECK(holds_its_marks(pool, s));
  const std::size_t kept = pool.bytes_in_use();
  s.sequence.release_unseen();
  CHECK(pool.bytes_in_use() == kept);

  KvSequence fork = s.sequence.fork();
  CHECK(fork.truncation_floor() == 192 + 99);
  fork.truncate(291);
  CHECK(fork.length() == 291);
  fork.truncate(290);
  CHECK(fork.length() == 0);
  CHECK(fork.truncation_floor() == 0);
  CHECK(holds_its_marks(pool, s));
  CHECK(pool.bytes_in_use() == kept);
}

TEST_CASE("Pages that a later truncation needs stay, as far back as requested") {
  KvPool pool(small_layers(), KvType::kF16, 0);
  std::uint64_t mark = 1;
  Shadowed s{KvSequence(pool), {}};
  REQUIRE(s.sequence.reserve(500).ok());
  append(pool, s, 500, mark);
  s.sequence.release_unseen(600);
  CHECK(s.sequence.truncation_floor() == 0);
  s.sequence.release_unseen(200);
  CHECK(s.sequence.truncation_floor() == 192 + 99);  // truncation to 300 is possible
  s.sequence.truncate(300);
  CHECK(s.sequence.length() == 300);
  s.sequence.release_unseen();
  CHECK(s.sequence.truncation_floor() == 192 + 99);
}

TEST_CASE("A page is released as soon as its last key is outside the window, and not before") {
  const KvPool pool(small_layers(), KvType::kF16, 0);
  const std::size_t wide = pool.class_of(0), global = pool.class_of(1), narrow = pool.class_of(2),
                    sinks = pool.class_of(4);
  // With a window of 100 the token at 162 attends to keys from 63 on, the one at 163 from 64 on.
  for (const auto& [position, page] : {std::pair<std::size_t, std::size_t>{0, 0},
                                       {99, 0},
                                       {100, 0},
                                       {162, 0},
                                       {163, 1},
                                       {226, 1},
                                       {227, 2}}) {
    CAPTURE(position);
    CHECK(pool.first_seen_page(wide, position) == page);
    CHECK(pool.first_seen_page(sinks, position) == page);
    CHECK(pool.first_seen_page(global, position) == 0);
  }
  CHECK(pool.first_seen_page(narrow, 126) == 0);
  CHECK(pool.first_seen_page(narrow, 127) == 1);
  // The minimum for 228 tokens: of four pages those from the third on; all; those from the third on; and with
  // two pages of sinks all.
  CHECK(pool.min_bytes_for(228) == 2 * pool.page_bytes(wide) + 4 * pool.page_bytes(global) +
                                       2 * pool.page_bytes(narrow) + 4 * pool.page_bytes(sinks));
  CHECK(pool.min_bytes_for(227) == 3 * pool.page_bytes(wide) + 4 * pool.page_bytes(global) +
                                       2 * pool.page_bytes(narrow) + 4 * pool.page_bytes(sinks));
  CHECK(pool.min_bytes_for(0) == 0);
}

TEST_CASE("Sinks inside the window do not raise the truncation floor") {
  const std::vector<StateShape> layers = layers_of({{.window = 100, .sinks = 128}});
  KvPool pool(layers, KvType::kF16, 0);
  KvSequence s(pool);
  REQUIRE(s.reserve(227).ok());
  s.advance(227);
  s.release_unseen();  // the token at 227 attends to all keys from 128 on, and the sinks before
  CHECK(s.truncation_floor() == 0);
  CHECK(pool.bytes_in_use() == 4 * pool.page_bytes(0));
  s.truncate(70);
  CHECK(s.length() == 70);
}

TEST_CASE("Sinks and a window take the same memory however long the sequence grows") {
  const KvShape shape{.window = 1000, .sinks = 128};
  const std::vector<StateShape> layers = layers_of({shape, shape});
  KvPool pool(layers, KvType::kF16, 0);
  KvSequence s(pool);
  const std::size_t most = (2 + 17) * pool.page_bytes(0);  // 1,000 tokens take at most 17 pages
  for (std::size_t length = 0; length < 20000; ++length) {
    REQUIRE(s.reserve(1).ok());
    s.advance(1);
    s.release_unseen();
    REQUIRE(pool.bytes_in_use() <= most);
    const std::size_t to_come = s.length() % 64 == 0 ? pool.page_bytes(0) : 0;
    REQUIRE(pool.bytes_in_use() + to_come == pool.min_bytes_for(s.length() + 1));
  }
  CHECK(pool.bytes_in_use() >= 17 * pool.page_bytes(0));
}

TEST_CASE("A hundred thousand random operations keep contents and accounts exact") {
  const std::vector<StateShape> layers = small_layers();
  const KvPool sizes(layers, KvType::kF16, 0);
  const std::size_t page_set = page_set_of(sizes);
  const std::size_t budget = 14 * page_set;
  KvPool pool(layers, KvType::kF16, budget);
  std::mt19937_64 random(7);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::vector<Shadowed> all;
  std::vector<std::size_t> pages;  // each sequence's table: written and reserved
  std::uint64_t mark = 1;
  std::map<std::string, int> happened;

  for (int operation = 0; operation < 100000; ++operation) {
    const std::size_t i = all.empty() ? 0 : below(all.size());
    const std::size_t choice = below(100);
    if (all.empty() || (choice < 8 && all.size() < 12)) {
      all.push_back({KvSequence(pool), {}});
      pages.push_back(0);
    } else if (choice < 50) {
      const std::size_t n = below(4) == 0 ? below(200) : below(8);
      const std::size_t before = pool.bytes_in_use();
      if (all[i].sequence.reserve(n).ok()) {
        pages[i] = std::max(pages[i], pages_for(all[i].marks.size() + n));
        append(pool, all[i], below(3) == 0 ? n / 2 : n, mark);
        ++happened["reserve"];
      } else {
        REQUIRE(pool.bytes_in_use() == before);
        ++happened["refuse"];
      }
    } else if (choice < 65) {
      if (all.size() >= 12) continue;
      Shadowed fork{all[i].sequence.fork(), all[i].marks};
      std::copy_n(all[i].released_below, kClasses, fork.released_below);
      all.push_back(std::move(fork));
      pages.push_back(pages_for(all.back().marks.size()));
      ++happened["fork"];
    } else if (choice < 80) {
      Shadowed& s = all[i];
      const std::size_t to = below(s.marks.size() + 1);
      const bool possible = to >= s.sequence.truncation_floor();
      s.sequence.truncate(to);
      s.marks.resize(possible ? to : 0);
      if (s.marks.empty()) std::fill_n(s.released_below, kClasses, 0);
      pages[i] = pages_for(s.marks.size());
      ++happened[possible ? "truncate" : "forget"];
    } else if (choice < 85) {
      Shadowed& s = all[i];
      const std::size_t back = below(2) == 0 ? 0 : below(150);
      s.sequence.release_unseen(back);
      for (std::size_t cls = 0; cls < kClasses; ++cls) {
        const std::size_t window = pool.window(cls), length = s.marks.size() - std::min(back, s.marks.size());
        if (window == 0 || length < window) continue;
        s.released_below[cls] = std::max(s.released_below[cls], (length - window + 1) / 64 * 64);
      }
      ++happened["release"];
    } else if (choice < 95) {
      std::swap(all[i], all.back());
      std::swap(pages[i], pages.back());
      all.pop_back();
      pages.pop_back();
      ++happened["destroy"];
    }
    REQUIRE(pool.bytes_in_use() == distinct_bytes(pool, all, pages));
    REQUIRE(pool.bytes_in_use() <= budget);
    if (!all.empty()) REQUIRE(holds_its_marks(pool, all[below(all.size())]));
  }
  for (const Shadowed& s : all) CHECK(holds_its_marks(pool, s));
  for (const char* kind : {"reserve", "refuse", "fork", "truncate", "forget", "release", "destroy"}) {
    INFO(kind << " happened " << happened[kind] << " times");
    CHECK(happened[kind] > 100);
  }
  all.clear();
  CHECK(pool.bytes_in_use() == 0);
}
