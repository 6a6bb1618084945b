// The causal convolution against its definition: in any chunks, in any shares of columns, and its states.
#include "engine/layers/causal_conv.h"

#include <cstring>
#include <random>

#include "tests/catch.h"

namespace partita::internal {
namespace {

constexpr std::size_t kStride = 83, kBegin = 5, kOffset = 16;

Vector normals(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Vector v(n);
  for (float& x : v) x = normal(random);
  return v;
}

CausalConv conv_of(std::uint32_t taps, std::uint32_t columns, bool bias) {
  return {taps, columns, normals(std::size_t{taps} * columns, 1), bias ? normals(columns, 2) : Vector{}};
}

/// The definition, of all tokens, in the order of its sums.
Vector defined(const CausalConv& conv, const Vector& x, std::size_t tokens) {
  Vector y = x;
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t c = 0; c < conv.columns; ++c) {
      float sum = conv.bias.empty() ? 0 : conv.bias[c];
      for (std::size_t j = 0; j < conv.taps; ++j) {
        if (t + j + 1 >= conv.taps)
          sum += conv.weight[j * conv.columns + c] * x[(t + j + 1 - conv.taps) * kStride + kBegin + c];
      }
      y[t * kStride + kBegin + c] = sum;
    }
  }
  return y;
}

using State = std::vector<std::byte>;

/// The state after `tokens` tokens: the last inputs.
State state_after(const CausalConv& conv, const Vector& x, std::size_t tokens) {
  State state(kOffset + conv.state_bytes());
  for (std::size_t i = 0; i + 1 < conv.taps; ++i) {
    if (tokens + i + 1 < conv.taps) continue;
    std::memcpy(state.data() + kOffset + i * conv.columns * sizeof(float),
                &x[(tokens + i + 1 - conv.taps) * kStride + kBegin], conv.columns * sizeof(float));
  }
  return state;
}

TEST_CASE("A convolution in chunks and shares has the bits of its definition, and its states") {
  constexpr std::size_t kTokens = 19;
  for (const std::uint32_t taps : {1, 2, 3, 4, 7}) {
    for (const std::uint32_t columns : {1, 16, 70}) {
      for (const std::size_t chunk : {1, 2, 3, 8, 19}) {
        CAPTURE(taps, columns, chunk);
        const CausalConv conv = conv_of(taps, columns, taps != 3);
        const Vector x = normals(kTokens * kStride, 3), expected = defined(conv, x, kTokens);
        Vector y = x;
        State state(kOffset + conv.state_bytes());
        for (std::size_t done = 0; done < kTokens;) {
          const std::size_t n = std::min(chunk, kTokens - done);
          State after(state.size()), snapshot(state.size());
          const StateStep step{done == 0 ? nullptr : state.data(), after.data(), snapshot.data(), n / 2};
          for (const auto& [first, last] : {std::pair{std::size_t{0}, columns / std::size_t{3}},
                                            std::pair{columns / std::size_t{3}, std::size_t{columns}}}) {
            convolve(conv, step, kOffset, {y.data() + done * kStride + kBegin, kStride, n, first, last});
          }
          CHECK(snapshot == state_after(conv, x, done + n / 2));
          done += n;
          CHECK(after == state_after(conv, x, done));
          state = after;
        }
        CHECK(y == expected);
      }
    }
  }
}

}  // namespace
}  // namespace partita::internal
