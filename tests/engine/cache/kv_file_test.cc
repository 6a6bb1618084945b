// KV cache pages as bytes of a file: the same sequence gives the same bytes, regardless of earlier contents
// of its pages.
#include "engine/cache/kv_file.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <random>

#include "engine/kernels/dispatch.h"
#include "tests/catch.h"

namespace partita::internal {
namespace {

/// Keys are wider than values in the third; the last has latents, in the class of the second.
std::vector<StateShape> three_classes() {
  return {KvShape{.heads = 2, .widths = {16, 16}, .window = 100}, KvShape{.heads = 1, .widths = {16, 16}},
          KvShape{.heads = 2, .widths = {32, 16}, .window = 100, .sinks = 64},
          KvShape{.heads = 1, .widths = {32, 16}, .latent = true}};
}

/// Writes keys and values of tokens [first, last) with the scalar kernels.
void append(KvSequence& sequence, std::size_t first, std::size_t last) {
  KvPool& pool = sequence.pool();
  const std::size_t more = last - sequence.length();
  REQUIRE(sequence.reserve(more).ok());
  for (std::size_t t = first; t < last; ++t) {
    std::mt19937 random(static_cast<unsigned>(t));
    for (std::size_t layer = 0; layer < pool.layers().size(); ++layer) {
      const KvShape& kv = std::get<KvShape>(pool.layers()[layer]);
      for (std::size_t head = 0; head < kv.heads; ++head) {
        float k[32], v[16];
        for (float& x : k) x = static_cast<float>(random() % 2000) / 256 - 4;
        for (float& x : v) x = static_cast<float>(random() % 2000) / 256 - 4;
        std::byte* const page = sequence.page(pool.class_of(layer), t / kPageTokens);
        if (kv.latent) {
          kernels(Isa::kScalar)
              .append_latent(pool.type(), k, kv.widths.key, static_cast<int>(t % kPageTokens),
                             page + pool.k_offset(layer, head));
          continue;
        }
        kernels(Isa::kScalar)
            .append(pool.type(), k, v, kv.widths, static_cast<int>(t % kPageTokens),
                    page + pool.k_offset(layer, head), page + pool.v_offset(layer, head));
      }
    }
  }
  sequence.advance(more);
}

std::vector<std::byte> written(const KvSequence& sequence) {
  std::vector<std::byte> bytes;
  CHECK(write_pages(sequence, [&](std::span<const std::byte> page) {
    bytes.insert(bytes.end(), page.begin(), page.end());
    return true;
  }));
  return bytes;
}

void fill_with(KvSequence& sequence, int byte) {
  const KvPool& pool = sequence.pool();
  for (std::size_t cls = 0; cls < pool.classes(); ++cls) {
    for (std::size_t i = 0; i < pages_for(sequence.length()); ++i)
      std::memset(sequence.page(cls, i), byte, pool.page_bytes(cls));
  }
}

/// read_pages() of bytes in memory.
Result<void> read_from(std::span<const std::byte> bytes, std::size_t length,
                       std::span<const std::uint64_t> first, KvSequence& sequence) {
  const auto read = [&bytes](std::span<std::byte> page) {
    if (bytes.size() < page.size()) return false;
    std::copy_n(bytes.begin(), page.size(), page.begin());
    bytes = bytes.subspan(page.size());
    return true;
  };
  return read_pages(read, length, first, sequence);
}

TEST_CASE("The bytes of a sequence do not contain earlier contents of its pages") {
  for (const KvType type : kKvTypes) {
    for (const std::size_t length : {1, 15, 16, 17, 63, 64, 65, 80, 100, 127, 128}) {
      CAPTURE(static_cast<int>(type), length);
      KvPool pool(three_classes(), type, 0), used(three_classes(), type, 0);
      KvSequence fresh(pool), again(used);
      append(fresh, 0, length);
      append(again, 0, 128);
      fill_with(again, 0x5A);
      again.truncate(0);
      append(again, 0, length);
      const std::vector<std::byte> bytes = written(fresh);
      CHECK(bytes == written(again));
      // Truncated; the later tokens are still in the pages.
      if (length < 128) {
        append(again, length, 128);
        again.truncate(length);
        CHECK(bytes == written(again));
      }
      CHECK(bytes.size() == kv_bytes(pool, length, first_pages(fresh)));

      KvSequence back(used);
      REQUIRE(read_from(bytes, length, first_pages(fresh), back).ok());
      CHECK(back.length() == length);
      CHECK(written(back) == bytes);
    }
  }
}

TEST_CASE("A sequence with windows is written without the released pages, and read back") {
  KvPool pool(three_classes(), KvType::kF16I8, 0);
  KvSequence s(pool);
  append(s, 0, 330);
  s.release_unseen();
  const std::vector<std::uint64_t> first = first_pages(s);
  CHECK(first == std::vector<std::uint64_t>{3, 0, 3});  // the token at 330 attends to keys from 231 on
  const std::vector<std::byte> bytes = written(s);
  // Six pages less three; six; six less the two that are neither sinks nor in the window.
  const std::size_t expected = 3 * pool.page_bytes(0) + 6 * pool.page_bytes(1) + 4 * pool.page_bytes(2);
  CHECK(bytes.size() == expected);
  CHECK(kv_bytes(pool, 330, first) == expected);
  KvPool other(three_classes(), KvType::kF16I8, expected);
  KvSequence back(other);
  REQUIRE(read_from(bytes, 330, first, back).ok());
  CHECK(other.bytes_in_use() == expected);
  CHECK(back.truncation_floor() == s.truncation_floor());
  CHECK(first_pages(back) == first);
  CHECK(written(back) == bytes);
  // The old pages are released first; if the new ones do not fit, the sequence stays empty.
  REQUIRE(read_from(bytes, 330, first, back).ok());
  KvPool small(three_classes(), KvType::kF16I8, expected - 1);
  KvSequence none(small);
  append(none, 0, 5);
  const auto refused = read_from(bytes, 330, first, none);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kOutOfMemory);
  CHECK(refused.error().message == "the KV cache has no room for 330 tokens: they take " +
                                       std::to_string(expected) + " bytes, and 0 of its " +
                                       std::to_string(expected - 1) + " are in use");
  CHECK(none.length() == 0);
  CHECK(small.bytes_in_use() == 0);
}

TEST_CASE("Pages that cannot be read are released") {
  KvPool pool(three_classes(), KvType::kF16I8, 0);
  KvSequence s(pool);
  append(s, 0, 330);
  const std::vector<std::byte> bytes = written(s);
  KvPool other(three_classes(), KvType::kF16I8, 0);
  KvSequence back(other);
  const auto refused = read_from(std::span(bytes).first(bytes.size() - 1), 330, first_pages(s), back);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kIo);
  CHECK(back.length() == 0);
  CHECK(other.bytes_in_use() == 0);
  const auto thrower = [](std::span<std::byte>) -> bool { throw std::bad_alloc(); };
  CHECK_THROWS_AS(read_pages(thrower, 330, first_pages(s), back), std::bad_alloc);
  CHECK(other.bytes_in_use() == 0);
}

TEST_CASE("First pages that omit a page that later tokens attend to are refused") {
  const KvPool pool(three_classes(), KvType::kF16, 0);
  using First = std::vector<std::uint64_t>;
  CHECK(are_valid_first_pages(pool, 330, First{3, 0, 3}));
  CHECK(are_valid_first_pages(pool, 330, First{0, 0, 1}));
  CHECK_FALSE(are_valid_first_pages(pool, 330, First{4, 0, 3}));
  CHECK_FALSE(are_valid_first_pages(pool, 330, First{3, 1, 3}));
  CHECK_FALSE(are_valid_first_pages(pool, 330, First{3, 0, 4}));
  CHECK_FALSE(are_valid_first_pages(pool, 330, First{3, 0}));
  CHECK_FALSE(are_valid_first_pages(pool, 330, First{3, 0, 3, 0}));
  // The token at 290 still attends to key 191; the first page of the one at 291 is page 3.
  CHECK(are_valid_first_pages(pool, 291, First{3, 0, 3}));
  CHECK_FALSE(are_valid_first_pages(pool, 290, First{3, 0, 3}));
}

TEST_CASE("Writing stops when the callback returns false") {
  KvPool pool(three_classes(), KvType::kF16, 0);
  KvSequence s(pool);
  append(s, 0, 130);
  int pages = 0;
  CHECK_FALSE(write_pages(s, [&](std::span<const std::byte>) { return ++pages < 4; }));
  CHECK(pages == 4);
}

TEST_CASE("A layout names type, sizes, windows and sinks") {
  const KvPool pool(three_classes(), KvType::kF16I8, 0);
  CHECK(kv_layout(pool) == std::vector<std::uint64_t>{2, 16, 64, 3, 100, 0, pool.page_bytes(0), 0, 0,
                                                      pool.page_bytes(1), 100, 1, pool.page_bytes(2)});
}

}  // namespace
}  // namespace partita::internal
