// Checks of logits, messages about bad ones, and rounding of bounds.
#pragma once

#include <span>
#include <string>

#include "partita/result.hpp"

namespace partita::internal {

/// Whether a value is valid as a logit: finite, or -inf for a masked entry.
bool is_logit(float value);

/// kBadNumbers naming the first entry that is not a valid logit, or saying that no entry is finite.
/// Precondition: one of the two holds.
Error bad_logits(std::span<const float> logits);

/// The smallest finite float that is at least x. Precondition: x <= FLT_MAX, not NaN.
float round_up(double x);

/// The shortest decimal that reads back as this number of its type: "0.95", "nan", "-inf".
std::string to_text(float value);
std::string to_text(double value);

}  // namespace partita::internal
