// Validates the normalization table (precompiled_charsmap) of a SentencePiece model, which the library reads
// without bounds checks.
#pragma once

#include <string_view>

namespace partita::internal {

/// Whether the library stays within a precompiled_charsmap, and within its own room for matches, for any
/// text; and whether each replacement is short enough that no text grows beyond reason. Layout: the length of
/// a double array, the array (Darts-clone), and the NUL-terminated replacements that its values point to. An
/// empty table is valid.
bool is_valid_charsmap(std::string_view table);

}  // namespace partita::internal
