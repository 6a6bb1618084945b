// Parser for untrusted JSON, with limits on bytes, depth and the number of values (partita/json.hpp).
#pragma once

#include <string_view>

#include "partita/json.hpp"
#include "partita/result.hpp"
#include "weights/json/document.h"

namespace partita::internal {

/// Parses the whole of `text` as one value. `where` begins the error message ("'m.safetensors': the header").
/// Errors: kBadFile for invalid JSON, a limit that is exceeded or a duplicate key; kOutOfMemory.
Result<JsonDocument> read_json(std::string_view text, std::string_view where, const JsonLimits& limits);

/// read_json() with keys in the order of the text. For a duplicate key the last value wins, at the position
/// of the first, as in Python.
Result<OrderedJsonDocument> read_ordered_json(std::string_view text, std::string_view where,
                                              const JsonLimits& limits);

}  // namespace partita::internal
