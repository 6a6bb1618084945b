// The Gumbel-max draw: add noise to every logit, take the largest. (Gumbel 1954; Maddison et al. 2014)
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "sampling/numbers.h"
#include "sampling/philox.h"
#include "sampling/softmax/row.h"
#include "sampling/softmax/softmax.h"

namespace partita {
namespace {

constexpr std::uint32_t kNoiseLanes = 0x80000000;
constexpr double kLargest = std::numeric_limits<float>::max();
constexpr double kMargin = 1.0001;

/// An odd multiple of 2^-53 in (0, 1).
double open_uniform(const DrawKey& key, std::uint32_t id) {
  return (std::floor(uniform(key, kNoiseLanes | id) * 0x1p52) + 0.5) * 0x1p-52;
}

double noise_of(double u) { return -std::log(-std::log(u)); }

}  // namespace

double gumbel_noise(const DrawKey& key, std::int32_t id) {
  return noise_of(open_uniform(key, static_cast<std::uint32_t>(id)));
}

Result<std::int32_t> gumbel_max(std::span<const float> logits, const DrawKey& key, const Kernels& kernels) {
  constexpr std::size_t kMostIds = std::numeric_limits<std::int32_t>::max();
  if (logits.size() > kMostIds) {
    return Error{ErrorCode::kInvalidArgument, "there are " + std::to_string(logits.size()) +
                                                  " logits, but ids end at " + std::to_string(kMostIds)};
  }
  if (const Result<Peak> peak = find_peak(logits, kernels); !peak) return peak.error();

  double best = -std::numeric_limits<double>::infinity();
  std::int32_t id = 0;
  std::array<float, kSoftmaxBlock> reach;
  for_blocks(logits.size(), [&](std::size_t first, std::size_t n) {
    // x + noise > best asks for 1 - u < -log u < exp(x - best): most ids fail that without a logarithm. The
    // level is rounded down; what else is rounded is less than the margin, and what the kernel flushes to 0
    // is below 2^-53, the least 1 - u.
    const float level = -round_up(std::min(-best, kLargest));
    kernels.exp_sum(logits.data() + first, n, level, 1, reach.data());
    for (std::size_t i = 0; i < n; ++i) {
      const double u = open_uniform(key, static_cast<std::uint32_t>(first + i));
      if (1 - u > kMargin * static_cast<double>(reach[i])) continue;
      const double value = static_cast<double>(logits[first + i]) + noise_of(u);
      if (value > best) {
        best = value;
        id = static_cast<std::int32_t>(first + i);
      }
    }
  });
  return id;
}

}  // namespace partita
