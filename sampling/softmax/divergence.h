// Entropy, Kullback-Leibler divergence and cross-entropy with the caller's kernel table (softmax.h).
#pragma once

#include <cstdint>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"
#include "partita/softmax.hpp"

namespace partita::internal {

Result<double> entropy(std::span<const float> logits, const Kernels& kernels);
Result<double> kl_divergence(std::span<const float> p_logits, std::span<const float> q_logits,
                             const Kernels& kernels);
Result<double> cross_entropy(std::span<const float> logits, std::int32_t target, const Kernels& kernels);
Result<double> cross_entropy_gradient(std::span<const float> logits, std::int32_t target,
                                      std::span<float> out, const Kernels& kernels);

}  // namespace partita::internal
