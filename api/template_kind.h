// Which known form a chat template writes.
#pragma once

#include <string_view>

namespace partita::internal {

/// "ChatML", "Llama 3", "Gemma" and so on, by the marks in the template's source; "other" if it has none of
/// them.
std::string_view template_kind(std::string_view source);

}  // namespace partita::internal
