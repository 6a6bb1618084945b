#include "api/convert/json_file.h"

#include <filesystem>

#include "weights/input_file.h"
#include "weights/json/reader.h"
#include "weights/sentence.h"

namespace partita::internal {

Result<JsonDocument> read_json_file(const std::string& path) {
  if (std::error_code none; !std::filesystem::exists(path, none))
    return JsonDocument(nlohmann::json::object());
  const auto text = read_text_file(path, "a JSON file of a checkpoint", JsonLimits().bytes);
  if (!text) return text.error();
  const std::string where = sentence("'", printable(path), "'");
  auto json = read_json(*text, where, JsonLimits());
  if (!json || json->is_object()) return json;
  return Error{ErrorCode::kBadFile, sentence(where, " is not a JSON object")};
}

const nlohmann::json* member(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace partita::internal
