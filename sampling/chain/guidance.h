// Classifier-free guidance: one row of logits made of two.
#pragma once

#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita::internal {

/// Replaces `other` by other + scale (own - other), both as log-probabilities (Ho & Salimans 2022; of text,
/// Sanchez et al. 2023). As UnbatchedClassifierFreeGuidanceLogitsProcessor. own: [vocab] logits after the
/// prompt; other: [vocab] logits after the negative prompt. An id that either row masks (-inf) is masked.
/// scale: finite, at least 0. Errors: kBadNumbers as of log_partition(), naming the row.
Result<void> guide(std::span<const float> own, std::span<float> other, float scale, const Kernels& kernels);

}  // namespace partita::internal
