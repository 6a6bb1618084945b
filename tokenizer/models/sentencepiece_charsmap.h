// The table of replacements in a SentencePiece model, which the library follows without looking where it
// leads.
#pragma once

#include <string_view>

namespace partita {

/// Whether a precompiled_charsmap can be followed for any text without leaving it: the length of a double
/// array, the array (Darts-clone), and replacements that its values point to, each ended by a NUL. An empty
/// one is none.
bool is_charsmap(std::string_view table);

}  // namespace partita
