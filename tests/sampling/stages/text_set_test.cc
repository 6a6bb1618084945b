// Parts of the stages that read the history, against brute force: repetitions, texts in a stream, edits of
// rows.
#include "sampling/text_set.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/chain/candidates.h"
#include "sampling/chain/draw.h"
#include "sampling/suffix_matches.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Ids = std::vector<std::int32_t>;

/// A text of up to `most` letters out of `letters`, by a seed.
std::string some_text(std::uint64_t seed, std::size_t least, std::size_t most, std::size_t letters) {
  std::string text;
  const std::size_t size = least + splitmix64(seed) % (most - least + 1);
  for (std::size_t i = 0; i < size; ++i) {
    text += static_cast<char>('a' + splitmix64(seed * 1000 + i + 1) % letters);
  }
  return text;
}

TEST_CASE("Matches at the end of a sequence are those of the definition") {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Ids ids;
    for (std::size_t i = 0; i < seed % 60; ++i) {
      ids.push_back(static_cast<std::int32_t>(splitmix64(seed * 100 + i) % (1 + seed % 4)));
    }
    const std::size_t n = ids.size();
    std::vector<std::uint32_t> matches(n + 1, 12345);
    suffix_matches(ids, matches);
    for (std::size_t k = 0; k <= n; ++k) {
      std::uint32_t expected = 0;
      while (expected + k < n && ids[n - 1 - expected] == ids[n - 1 - expected - k]) ++expected;
      CAPTURE(seed, k);
      CHECK(matches[k] == expected);
    }
  }
}

TEST_CASE("Texts are found where they end, and states are the longest suffixes that begin a text") {
  for (std::uint64_t seed = 1; seed < 300; ++seed) {
    const std::size_t letters = 1 + seed % 3;
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < seed % 6; ++i) texts.push_back(some_text(seed * 10 + i, 1, 5, letters));
    const TextSet set(texts);
    const std::string stream = some_text(seed + 5000, 0, 60, letters);
    TextSet::State state = TextSet::kNothing;
    for (std::size_t end = 0; end <= stream.size(); ++end) {
      const std::string read = stream.substr(0, end);
      std::size_t depth = 0;
      bool completes = false;
      for (const std::string& text : texts) {
        completes = completes || (end > 0 && read.ends_with(text));
        for (std::size_t n = 1; n <= text.size(); ++n) {
          if (read.ends_with(text.substr(0, n))) depth = std::max(depth, n);
        }
      }
      CAPTURE(seed, read);
      CHECK(set.depth(state) == depth);
      CHECK(set.completes(state) == completes);
      for (const std::string& text : set.begun(state))
        CHECK(text.substr(0, depth) == read.substr(end - depth));
      if (end < stream.size()) state = set.next(state, stream[end]);
    }
    CHECK(set.found_in(stream) == std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
            return stream.find(text) != std::string::npos;
          }));
  }
}

TEST_CASE("Every byte can stand in a text") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const TextSet set({all, "\xff", std::string(1, '\0')});
  CHECK(set.longest() == 256);
  CHECK(set.found_in("a\xff"));
  CHECK(set.found_in(std::string_view("\0", 1)));
  CHECK_FALSE(set.found_in(std::string_view(all).substr(1, 254)));
}

TEST_CASE("An edited row is the row of the edited logits") {
  for (const NamedKernels& k : all_kernels()) {
    for (const std::size_t vocab : {1U, 7U, 256U, 1000U}) {
      std::vector<float> logits = row("normal", vocab, vocab);
      const std::vector<float> before = logits;
      std::vector<std::uint64_t> bits((vocab + 63) / 64);
      for (std::size_t w = 0; w < bits.size(); ++w) bits[w] = w % 3 == 2 ? ~std::uint64_t{0} : splitmix64(w);
      Candidates row;
      REQUIRE(row.start(logits, *k.kernels));
      row.divide_by(2);
      row.mask_unset(bits);
      for (std::size_t i = 0; i < vocab; i += 37) row.add(i, 1.5);
      row.settle(*k.kernels);
      CHECK(logits == before);  // the caller's logits are unchanged
      for (std::size_t i = 0; i < vocab; ++i) {
        if ((bits[i / 64] >> (i % 64) & 1) == 0) logits[i] = -std::numeric_limits<float>::infinity();
        if (i % 37 == 0) logits[i] += 3;  // 1.5 above, at temperature 2
      }
      Candidates fresh;
      if (!fresh.start(logits, *k.kernels)) continue;
      CHECK(row.max() == fresh.max());
      CHECK(row.best() == fresh.best());
      CHECK(std::equal(row.values().begin(), row.values().end(), logits.begin()));
      CHECK(std::equal(row.tile_maxima().begin(), row.tile_maxima().end(), fresh.tile_maxima().begin()));
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
