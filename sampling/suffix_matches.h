// Repetitions at the end of a sequence: for each earlier position, the length of the suffix that repeats
// there.
#pragma once

#include <cstdint>
#include <span>

namespace partita::internal {

/// matches[k], for k from 1 to n: the length of the longest common suffix of `ids` [n] and `ids` without its
/// last k. The id that followed there is ids[n - k]. matches: [n + 1]; [0] is n. Linear in n: the Z-function
/// of the reversed sequence (Gusfield 1997).
void suffix_matches(std::span<const std::int32_t> ids, std::span<std::uint32_t> matches);

}  // namespace partita::internal
