// Base64, as JSON files and rank files of tokenizers write bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace partita::internal {

/// The bytes, or nullopt for a character outside the alphabet. Padding at the end may be missing.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace partita::internal
