// Escaping untrusted text for a terminal.
#pragma once

#include <string>
#include <string_view>

#include "partita/export.hpp"

namespace partita {

/// `text` with everything that a terminal would act on written as \xNN: control characters (C0, DEL, C1),
/// marks and overrides of the writing direction, line separators, and bytes that are not UTF-8. Error
/// messages of the library are escaped already.
PARTITA_API std::string printable(std::string_view text);

}  // namespace partita
