// The JSON files beside config.json. Internal to api/.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "partita/result.hpp"
#include "weights/json/document.h"

namespace partita::internal {

/// The object in a file; an empty one if there is no file. Errors: those of InputFile and read_json();
/// kBadFile for another value than an object.
Result<JsonDocument> read_json_file(const std::string& path);

/// The value of a key in an object; null if there is none.
const nlohmann::json* member(const nlohmann::json& object, const char* key);

}  // namespace partita::internal
