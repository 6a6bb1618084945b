// Fixed states in the cache, by a toy mixer: whatever was done to a sequence, its states are those that
// reading its tokens from the first on gives, to the bit.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "engine/cache/kv_file.h"
#include "engine/cache/prefix_cache.h"
#include "engine/layers/recurrence.h"
#include "tests/catch.h"

namespace partita::internal {
namespace {

using Keys = std::vector<std::int32_t>;

constexpr std::size_t kNumbers = 5;  // of a state: 20 bytes, not a multiple of the alignment
using ToyState = std::array<float, kNumbers>;

/// A hybrid: attention, two layers with states, local attention.
std::vector<StateShape> hybrid() {
  return {KvShape{.heads = 1, .widths = {16, 16}}, FixedShape{sizeof(ToyState)}, FixedShape{sizeof(ToyState)},
          KvShape{.heads = 1, .widths = {16, 16}, .window = 100}};
}
std::vector<StateShape> only_states() { return {FixedShape{sizeof(ToyState)}, FixedShape{sizeof(ToyState)}}; }

/// The toy mixer: a decaying sum, whose bits depend on the order of the tokens.
void advance(std::size_t layer, std::int32_t key, ToyState& state) {
  for (std::size_t j = 0; j < kNumbers; ++j) {
    const float input = static_cast<float>(key) + 0.25F * static_cast<float>(layer);
    state[j] = state[j] * (0.9F + 0.01F * static_cast<float>(j)) + input;
  }
}

/// The definition: the states after all keys, one after the other.
ToyState defined(std::size_t layer, const Keys& keys) {
  ToyState state{};
  for (const std::int32_t key : keys) advance(layer, key, state);
  return state;
}

/// Where a test marks a token: the first bytes of its values.
std::byte* mark_of(const KvSequence& s, std::size_t layer, std::size_t at) {
  const KvPool& pool = s.pool();
  std::byte* page = s.page(pool.class_of(layer), at / kPageTokens);
  return page == nullptr ? nullptr : page + pool.v_offset(layer, 0) + at % kPageTokens * 32;
}

/// A step over `keys`, which follow the sequence; its states are written, but it does not advance.
void compute(KvSequence& s, std::span<const std::int32_t> keys) {
  const KvPool& pool = s.pool();
  for (std::size_t layer = 0; layer < pool.layers().size(); ++layer) {
    if (std::holds_alternative<KvShape>(pool.layers()[layer])) {
      for (std::size_t i = 0; i < keys.size(); ++i)
        std::memcpy(mark_of(s, layer, s.length() + i), &keys[i], sizeof keys[i]);
      continue;
    }
    run_recurrence(s, layer, sizeof(ToyState), keys.size(), [&](std::size_t i, std::byte* bytes) {
      ToyState state;
      std::memcpy(&state, bytes, sizeof state);
      advance(layer, keys[i], state);
      std::memcpy(bytes, &state, sizeof state);
    });
  }
}

/// Reads the keys that the sequence lacks, in steps of `step` tokens.
bool read(KvSequence& s, const Keys& keys, std::size_t step) {
  while (s.length() < keys.size()) {
    const std::size_t n = std::min(step, keys.size() - s.length());
    if (!s.reserve(n).ok()) return false;
    compute(s, std::span(keys).subspan(s.length(), n));
    s.advance(n);
  }
  return true;
}

/// Whether the sequence holds just what reading `keys` gives.
bool holds(const KvSequence& s, const Keys& keys) {
  const KvPool& pool = s.pool();
  if (s.length() != keys.size()) return false;
  for (std::size_t layer = 0; layer < pool.layers().size(); ++layer) {
    if (std::holds_alternative<KvShape>(pool.layers()[layer])) {
      const std::size_t first = kPageTokens * s.first_page(pool.class_of(layer));
      for (std::size_t at = first; at < keys.size(); ++at) {
        const std::byte* mark = mark_of(s, layer, at);
        if (mark == nullptr || std::memcmp(mark, &keys[at], sizeof keys[at]) != 0) return false;
      }
      continue;
    }
    ToyState state{};
    if (s.state() != nullptr) std::memcpy(&state, s.state()->bytes + pool.state_offset(layer), sizeof state);
    const ToyState expected = defined(layer, keys);
    if (std::memcmp(&state, &expected, sizeof state) != 0) return false;
  }
  return true;
}

Keys keys_of(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  Keys keys(n);
  for (std::int32_t& key : keys) key = static_cast<std::int32_t>(random() % 1000);
  return keys;
}

Keys first_of(const Keys& keys, std::size_t n) {
  return {keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(n)};
}

TEST_CASE("States do not depend on how the tokens are divided into steps") {
  for (const auto& layers : {hybrid(), only_states()}) {
    const Keys keys = keys_of(300, 1);
    for (const std::size_t step : {1, 7, 63, 64, 65, 100, 128, 300}) {
      CAPTURE(step);
      KvPool pool(layers, KvType::kF16, 0);
      KvSequence s(pool);
      REQUIRE(read(s, keys, step));
      CHECK(holds(s, keys));
    }
  }
}

TEST_CASE("A step that is computed and given up changes nothing") {
  KvPool pool(hybrid(), KvType::kF16, 0);
  KvSequence s(pool);
  const Keys keys = keys_of(150, 2), wrong = keys_of(40, 3);
  for (const std::size_t length : {std::size_t{0}, std::size_t{64}, std::size_t{100}}) {
    REQUIRE(read(s, first_of(keys, length), 50));
    REQUIRE(s.reserve(wrong.size()).ok());
    compute(s, wrong);
    CHECK(holds(s, first_of(keys, length)));
    s.truncate(s.length());
    CHECK(holds(s, first_of(keys, length)));
  }
  REQUIRE(read(s, keys, 50));
  CHECK(holds(s, keys));
}

TEST_CASE("Truncation returns to the last snapshot, and reading on gives the same bits") {
  KvPool pool(hybrid(), KvType::kF16, 0);
  const Keys keys = keys_of(400, 4);
  const auto truncated = [&](std::size_t step, std::size_t to) {
    KvSequence s(pool);
    REQUIRE(read(s, keys, step));
    s.truncate(to);
    const std::size_t length = s.length();
    CHECK(holds(s, first_of(keys, length)));
    REQUIRE(read(s, keys, 33));
    CHECK(holds(s, keys));
    return length;
  };
  CHECK(truncated(1, 400) == 400);
  CHECK(truncated(1, 399) == 384);
  CHECK(truncated(1, 384) == 384);
  CHECK(truncated(1, 383) == 320);  // of the two last snapshots, the older
  CHECK(truncated(1, 319) == 0);
  CHECK(truncated(150, 399) ==
        384);  // steps end at 150, 300 and 400: the last borders within are 128, 256, 384
  CHECK(truncated(150, 383) == 256);
  CHECK(truncated(150, 255) == 0);
  CHECK(truncated(192, 399) == 384);  // a step that ends at a border
  CHECK(truncated(400, 383) == 0);
  CHECK(pool.bytes_in_use() == 0);
}

TEST_CASE("A snapshot that is kept outlives others, until its tokens are removed or memory is needed") {
  for (const auto& layers : {hybrid(), only_states()}) {
    KvPool pool(layers, KvType::kF16, 0);
    KvSequence s(pool);
    const Keys keys = keys_of(600, 14);
    s.keep_snapshot();  // there is none
    REQUIRE(read(s, first_of(keys, 100), 100));
    s.keep_snapshot();  // at 64
    REQUIRE(read(s, first_of(keys, 200), 100));
    s.keep_snapshot();  // at 192 instead
    REQUIRE(read(s, keys, 70));
    KvSequence fork = s.fork();
    s.truncate(250);
    CHECK(s.truncation_floor() == 192);
    CHECK(holds(s, first_of(keys, 192)));
    Keys other = first_of(keys, 192);
    for (const std::int32_t key : keys_of(300, 15)) other.push_back(key);
    REQUIRE(read(s, other, 33));
    CHECK(holds(s, other));
    s.truncate(200);  // again, after other steps
    CHECK(holds(s, first_of(keys, 192)));
    s.truncate(191);
    CHECK(s.length() == 0);
    CHECK(holds(fork, keys));
    fork.truncate(0);
    CHECK(pool.bytes_in_use() == 0);
  }
  const KvPool sizes(only_states(), KvType::kF16, 0);
  KvPool pool(only_states(), KvType::kF16, 4 * sizes.page_bytes(0));
  KvSequence s(pool);
  const Keys keys = keys_of(300, 16);
  REQUIRE(read(s, first_of(keys, 65), 1));
  s.keep_snapshot();
  REQUIRE(read(s, first_of(keys, 193), 1));  // the state, snapshots at 128 and 192, and the one at 64
  CHECK(pool.bytes_in_use() == 4 * sizes.page_bytes(0));
  REQUIRE(read(s, keys, 1));  // the next state needs its memory
  CHECK(holds(s, keys));
  s.truncate(100);
  CHECK(s.length() == 0);
}

TEST_CASE("The floor of truncation is the oldest snapshot") {
  KvPool pool(hybrid(), KvType::kF16, 0);
  KvSequence s(pool);
  const Keys keys = keys_of(260, 5);
  REQUIRE(read(s, first_of(keys, 10), 10));
  CHECK(s.truncation_floor() == 10);
  REQUIRE(read(s, first_of(keys, 70), 60));
  CHECK(s.truncation_floor() == 64);
  REQUIRE(read(s, first_of(keys, 260), 1));
  CHECK(s.truncation_floor() == 192);
  const std::size_t before = pool.bytes_in_use();
  s.release_unseen(4);  // to 256, where a snapshot is; the older one goes, and a page of the window
  CHECK(s.truncation_floor() == 256);
  const std::size_t local = pool.page_bytes(1), states = pool.page_bytes(2);
  CHECK(pool.bytes_in_use() == before - states - 2 * local);
  s.truncate(257);
  CHECK(holds(s, first_of(keys, 256)));
  REQUIRE(read(s, keys, 1));
  CHECK(holds(s, keys));
}

TEST_CASE("A fork goes on from the same states, and neither sees the other") {
  KvPool pool(hybrid(), KvType::kF16, 0);
  KvSequence s(pool);
  const Keys start = keys_of(100, 6);
  REQUIRE(read(s, start, 100));
  KvSequence other = s.fork();
  CHECK(holds(other, start));
  Keys mine = start, theirs = start;
  for (const std::int32_t key : keys_of(90, 7)) mine.push_back(key);
  for (const std::int32_t key : keys_of(70, 8)) theirs.push_back(key);
  REQUIRE(read(s, mine, 20));
  REQUIRE(read(other, theirs, 20));
  CHECK(holds(s, mine));
  CHECK(holds(other, theirs));
  other.truncate(99);
  CHECK(holds(other, first_of(theirs, 64)));
}

TEST_CASE("States of a file are those that were written") {
  for (const auto& layers : {hybrid(), only_states()}) {
    for (const std::size_t length : {1, 64, 130}) {
      CAPTURE(length);
      KvPool pool(layers, KvType::kF16, 0), other(layers, KvType::kF16, 0);
      const Keys keys = keys_of(length, 9);
      KvSequence s(pool), back(other);
      REQUIRE(read(s, keys, 50));
      std::vector<std::byte> bytes;
      REQUIRE(write_pages(s, [&](std::span<const std::byte> page) {
        bytes.insert(bytes.end(), page.begin(), page.end());
        return true;
      }));
      CHECK(bytes.size() == kv_bytes(pool, length, first_pages(s)));
      std::size_t at = 0;
      const auto from = [&](std::span<std::byte> page) {
        if (bytes.size() - at < page.size()) return false;
        std::memcpy(page.data(), bytes.data() + at, page.size());
        at += page.size();
        return true;
      };
      REQUIRE(read_pages(from, length, first_pages(s), back).ok());
      CHECK(at == bytes.size());
      CHECK(holds(back, keys));
      Keys longer = keys;
      for (const std::int32_t key : keys_of(100, 10)) longer.push_back(key);
      REQUIRE(read(back, longer, 9));
      CHECK(holds(back, longer));
      at = 1;  // the last page is short
      CHECK_FALSE(read_pages(from, length, first_pages(s), back).ok());
      CHECK(back.length() == 0);
      CHECK(other.bytes_in_use() == 0);
    }
  }
  const KvPool pool(hybrid(), KvType::kF16, 0), states({{FixedShape{40}}}, KvType::kF16, 0);
  CHECK(kv_layout(pool) == std::vector<std::uint64_t>{0, 16, 64, 3, 0, 0, pool.page_bytes(0), 100, 0,
                                                      pool.page_bytes(1), 0, 0, 2 * 64});
  CHECK(kv_layout(states) == std::vector<std::uint64_t>{0, 0, 64, 1, 0, 0, 64});
  CHECK_FALSE(are_valid_first_pages(pool, 300, std::vector<std::uint64_t>{0, 0, 1}));
  CHECK(are_valid_first_pages(pool, 300, std::vector<std::uint64_t>{0, 0, 0}));
}

TEST_CASE("A prefix is found again up to its last snapshot") {
  for (const auto& layers : {hybrid(), only_states()}) {
    KvPool pool(layers, KvType::kF16, 0);
    PrefixCache prefixes(pool, std::size_t{1} << 30);
    const Keys keys = keys_of(250, 11);
    {
      KvSequence s(pool);
      REQUIRE(read(s, keys, 150));  // snapshots at 128 and 192
      prefixes.insert(keys, s);
    }
    KvSequence again(pool);
    REQUIRE(prefixes.reuse_prefix(keys, again));
    CHECK(again.length() == 192);
    CHECK(holds(again, first_of(keys, 192)));
    Keys changed = first_of(keys, 180);
    changed.push_back(-1);
    KvSequence shorter(pool);
    REQUIRE(prefixes.reuse_prefix(changed, shorter));  // 180 tokens are the same, 128 have a snapshot
    CHECK(holds(shorter, first_of(keys, 128)));
    REQUIRE(read(shorter, changed, 64));
    CHECK(holds(shorter, changed));
    KvSequence none(pool);
    CHECK_FALSE(prefixes.reuse_prefix(first_of(keys, 127), none));
  }
}

TEST_CASE("The budget counts states, and an error leaves the sequence unchanged") {
  const KvPool sizes(only_states(), KvType::kF16, 0);
  const std::size_t page = sizes.page_bytes(0);
  CHECK(page == 2 * 64);  // two states, aligned
  CHECK(sizes.min_bytes_for(1000) == 2 * page);
  KvPool pool(only_states(), KvType::kF16, 3 * page);
  KvSequence s(pool);
  const Keys keys = keys_of(130, 12);
  REQUIRE(read(s, first_of(keys, 65), 1));  // the state and a snapshot
  CHECK(pool.bytes_in_use() == 2 * page);
  CHECK_FALSE(s.reserve(64).ok());  // the next state and a snapshot at 128
  CHECK(pool.bytes_in_use() == 2 * page);
  CHECK(holds(s, first_of(keys, 65)));
  REQUIRE(read(s, first_of(keys, 128), 63));
  CHECK(pool.bytes_in_use() == 2 * page);  // two snapshots; the newer is the state
  CHECK(holds(s, first_of(keys, 128)));
}

TEST_CASE("Random operations keep states and accounts exact") {
  for (const auto& layers : {hybrid(), only_states()}) {
    const KvPool sizes(layers, KvType::kF16, 0);
    const std::size_t budget = 8 * sizes.min_bytes_for(256);
    KvPool pool(layers, KvType::kF16, budget);
    PrefixCache prefixes(pool, budget / 2);
    struct Open {
      KvSequence sequence;
      Keys keys;
    };
    std::vector<Open> all;
    all.reserve(8);  // so that references stay valid
    std::mt19937_64 random(13);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    std::map<std::string, int> happened;
    for (int operation = 0; operation < 20000; ++operation) {
      if (all.size() < 2) {  // begins like one of three texts
        all.push_back({KvSequence(pool), {}});
        const Keys text = first_of(keys_of(400, static_cast<unsigned>(below(3))), 1 + below(400));
        if (prefixes.reuse_prefix(text, all.back().sequence)) ++happened["reused"];
        all.back().keys = first_of(text, all.back().sequence.length());
        CHECK(holds(all.back().sequence, all.back().keys));
        Keys longer = text;
        longer.resize(all.back().keys.size() +
                      std::min<std::size_t>(text.size() - all.back().keys.size(), 70));
        if (read(all.back().sequence, longer, 1 + below(70))) ++happened["read"];
        all.back().keys = first_of(longer, all.back().sequence.length());
        continue;
      }
      const std::size_t i = below(all.size());
      Open& one = all[i];
      const std::size_t what = below(10);
      if (what < 4) {
        Keys longer = one.keys;
        for (std::size_t n = 1 + below(80); n > 0; --n) longer.push_back(static_cast<std::int32_t>(below(5)));
        if (!read(one.sequence, longer, 1 + below(90))) ++happened["no room"];
        one.keys = first_of(longer, one.sequence.length());
      } else if (what == 4) {
        one.sequence.truncate(below(one.keys.size() + 1));
        if (one.sequence.length() > 0) ++happened["truncated"];
        one.keys.resize(one.sequence.length());
      } else if (what == 5 && all.size() < 6) {
        Open fork{one.sequence.fork(), one.keys};
        all.push_back(std::move(fork));
      } else if (what == 6) {
        prefixes.insert(one.keys, one.sequence);
        prefixes.trim();
      } else if (what == 7) {
        one.sequence.release_unseen(below(100));
        if (below(2) == 0) one.sequence.keep_snapshot();
      } else if (what == 8) {
        prefixes.evict(1 + below(2000));
      } else if (what == 9) {
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      REQUIRE(holds(one.sequence, one.keys));
      REQUIRE(pool.bytes_in_use() <= budget);
    }
    for (const char* name : {"reused", "read", "no room", "truncated"}) {
      CAPTURE(name);
      CHECK(happened[name] > 20);
    }
    all.clear();
    prefixes.evict(budget);
    CHECK(pool.bytes_in_use() == 0);
  }
}

}  // namespace
}  // namespace partita::internal
