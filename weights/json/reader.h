// JSON from outside as values: bounded in bytes, in depth and in their number (partita/json.hpp).
#pragma once

#include <string_view>

#include "partita/json.hpp"
#include "partita/result.hpp"
#include "weights/json/document.h"

namespace partita {

/// The value that `text` is, whole. `where` begins the sentence of an error ("'m.safetensors': the header").
/// Errors: kBadFile for what is no JSON, more than the limits allow, or an object with a key twice;
/// kOutOfMemory.
Result<JsonDocument> read_json(std::string_view text, std::string_view where, const JsonLimits& limits);

/// The same with keys in the order of the text; of a key that an object has twice the last value counts, at
/// the place of the first, as in Python.
Result<OrderedJsonDocument> read_ordered_json(std::string_view text, std::string_view where,
                                              const JsonLimits& limits);

}  // namespace partita
