// How far the end of a sequence repeats what stands earlier in it.
#pragma once

#include <cstdint>
#include <span>

namespace partita {

/// matches[k], for k from 1 to n: how many ids `ids` [n] without its last k has in common with `ids` at the
/// end. The id that followed there is ids[n - k]. matches: [n + 1]; [0] is n. Linear in n: the Z-function of
/// the sequence read backwards (Gusfield 1997).
void suffix_matches(std::span<const std::int32_t> ids, std::span<std::uint32_t> matches);

}  // namespace partita
