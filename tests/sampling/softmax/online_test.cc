// Online softmax against softmax of the full row.
#include <cmath>

#include "sampling/softmax/softmax.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

/// The row cut into pieces by a seed, some of them empty.
std::vector<std::span<const float>> pieces(std::span<const float> row, std::uint64_t seed) {
  std::vector<std::span<const float>> all;
  for (std::size_t first = 0; first < row.size();) {
    const std::size_t n = std::min<std::size_t>(splitmix64(seed++) % 700, row.size() - first);
    all.push_back(row.subspan(first, n));
    first += n;
  }
  return all;
}

bool same(const OnlineSoftmax& a, const OnlineSoftmax& b) { return a.max == b.max && a.sum == b.sum; }

TEST_CASE("Pieces added in any order, or merged as a tree, give the sum of the whole row") {
  for (const NamedKernels& k : all_kernels()) {
    for (const std::string_view kind : {"normal", "peaked", "ties", "equal", "masked"}) {
      const std::vector<float> logits = row(kind, 3, 20000);
      const LogPartition whole = *log_partition(logits, *k.kernels);
      const auto cut = pieces(logits, 5);
      CAPTURE(k.name, kind, cut.size());
      OnlineSoftmax forward, backward;
      std::vector<OnlineSoftmax> parts(cut.size());
      for (std::size_t i = 0; i < cut.size(); ++i) {
        REQUIRE(add_piece(forward, cut[i], *k.kernels));
        REQUIRE(add_piece(backward, cut[cut.size() - 1 - i], *k.kernels));
        REQUIRE(add_piece(parts[i], cut[i], *k.kernels));
      }
      for (std::size_t width = 1; width < parts.size(); width *= 2) {
        for (std::size_t i = 0; i + width < parts.size(); i += 2 * width) parts[i].merge(parts[i + width]);
      }
      for (const OnlineSoftmax& state : {forward, backward, parts[0]}) {
        CHECK(state.max == whole.max);
        CHECK(std::abs(state.log_sum_exp() - whole.log_sum_exp) < 3e-7);
        CHECK(std::abs(state.sum / forward.sum - 1) < 1e-13);  // the same pieces, merged in another order
      }
      std::vector<float> expected(logits.size()), p(logits.size(), kNan);
      REQUIRE(softmax(logits, expected, *k.kernels));
      for (const auto piece : cut) {
        const auto at = static_cast<std::size_t>(piece.data() - logits.data());
        REQUIRE(
            piece_probabilities(forward, piece, std::span<float>(p).subspan(at, piece.size()), *k.kernels));
      }
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < p.size(); ++i)
        wrong += !(std::abs(p[i] - expected[i]) <= 4e-7F * expected[i]);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("Empty states and masked pieces leave no trace") {
  const std::vector<float> logits = row("normal", 1, 100), masked(5, -kInf);
  OnlineSoftmax state;
  CHECK(state.empty());
  CHECK(state.log_sum_exp() == -kInf);
  REQUIRE(state.add({}));
  REQUIRE(state.add(masked));
  CHECK(same(state, {}));
  state.merge({});
  CHECK(same(state, {}));
  std::vector<float> out(1);
  CHECK(state.probabilities(std::vector<float>{1}, out).error().code == ErrorCode::kBadNumbers);

  OnlineSoftmax full;
  REQUIRE(full.add(logits));
  const OnlineSoftmax before = full;
  full.merge({});
  REQUIRE(full.add(masked));
  CHECK(same(full, before));
  state.merge(full);
  CHECK(same(state, before));
}

TEST_CASE("Merging is commutative to the bit, whatever lies between the maxima") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    OnlineSoftmax a, b;
    std::vector<float> left = row("normal", seed, 50), right = row("normal", seed + 1000, 70);
    const float scale = std::ldexp(1.0F, static_cast<int>(seed % 120));
    for (float& x : right) x *= scale;
    REQUIRE(a.add(left));
    REQUIRE(b.add(right));
    OnlineSoftmax ab = a, ba = b;
    ab.merge(b);
    ba.merge(a);
    CHECK(same(ab, ba));
    CHECK(ab.sum >= 1);
  }
}

TEST_CASE("A maximum that grows by thousands forgets, one that falls does not") {
  OnlineSoftmax state;
  REQUIRE(state.add(std::vector<float>{-1e4F, -1e4F}));
  CHECK(state.log_sum_exp() == Approx(-1e4 + std::log(2.0)).epsilon(1e-15));
  REQUIRE(state.add(std::vector<float>{1e4F, 9999.5F}));
  REQUIRE(state.add(std::vector<float>{-3e38F}));
  CHECK(state.log_sum_exp() == Approx(1e4 + std::log1p(std::exp(-0.5))).epsilon(1e-12));
  std::vector<float> p(4);
  REQUIRE(state.probabilities(std::vector<float>{-1e4F, 1e4F, -kInf, 9999.5F}, p));
  CHECK(p == std::vector<float>{0, static_cast<float>(1 / (1 + std::exp(-0.5))), 0,
                                static_cast<float>(1 / (1 + std::exp(0.5)))});
}

TEST_CASE("A bad piece is named by its own index and changes nothing") {
  OnlineSoftmax state;
  REQUIRE(state.add(std::vector<float>{1, 2}));
  const OnlineSoftmax before = state;
  std::vector<float> out(3);
  for (const float bad : {kNan, kInf}) {
    const std::vector<float> piece = {-kInf, bad, 7};
    const std::string named = bad == kInf ? "the logit of id 1 is inf" : "the logit of id 1 is nan";
    for (const Error& error : {state.add(piece).error(), state.probabilities(piece, out).error()}) {
      CHECK(error.code == ErrorCode::kBadNumbers);
      CHECK(error.message.rfind(named, 0) == 0);
    }
    CHECK(same(state, before));
  }
  const Error error = state.probabilities(std::vector<float>{0, 2, 2.5}, out).error();
  CHECK(error.code == ErrorCode::kInvalidArgument);
  CHECK(error.message == "the logit of id 2 is 2.5, but the largest that was added is 2");
  CHECK(state.probabilities(std::vector<float>{0, 2}, out).error().code == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace partita::internal::test
