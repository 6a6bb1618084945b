// Numbers at the edge of floats: what a logit may be, how bad ones are named, how bounds are rounded.
#pragma once

#include <span>
#include <string>

#include "partita/result.hpp"

namespace partita {

/// Whether a logit can stand in a row: finite, or -inf for a masked entry.
bool is_logit(float value);

/// kBadNumbers naming the first entry that is no logit, else that nothing is finite.
/// Precondition: `logits` is such a row.
Error bad_logits(std::span<const float> logits);

/// The smallest finite float that is not below x. Precondition: x <= FLT_MAX, not NaN.
float round_up(double x);

/// The shortest decimal that reads back as this float: "0.95", "nan", "-inf".
std::string to_text(float value);

}  // namespace partita
