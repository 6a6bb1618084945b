// Checks of a kernel table against the scalar definition, on odd sizes; outputs start as NaN, so that
// unwritten values are detected.
#pragma once

#include <limits>

#include "engine/kernels/kernels.h"

namespace partita::internal::test {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

void check_products(const Kernels& fast);      // quantize, matmul, unpack: every type
void check_screen(const Kernels& fast);        // screen
void check_change_basis(const Kernels& fast);  // change_basis
void check_elementwise(const Kernels& fast);   // rms_norm, add ... rope, max, exp_sum
void check_attention(const Kernels& fast);     // append, attend, merge, finish
void check_merge(const Kernels& fast);         // merge and finish again, and NaN

void check_recurrences(const Kernels& fast);  // decay, delta_rule

/// The vector tables of every architecture have the bits that are recorded here.
void check_recorded_bits(const Kernels& fast);
void check_recorded_recurrences(const Kernels& fast);

/// Every output of both tables has the same bits (products and attention of random data).
void check_same_bits(const Kernels& a, const Kernels& b);

}  // namespace partita::internal::test
