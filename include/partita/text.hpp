// Text from outside, fit for a terminal; part of partita.hpp.
#pragma once

#include <string>
#include <string_view>

#include "partita/export.hpp"

namespace partita {

/// `text` with what a terminal obeys instead of showing it as \xNN: control characters (C0, DEL, C1), marks
/// and overrides of the direction of writing, line separators, and bytes that are not UTF-8. Error messages
/// of the library are such text already.
PARTITA_API std::string printable(std::string_view text);

}  // namespace partita
