#include "tokenizer/json/fields.h"

#include "tokenizer/json/characters.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

const nlohmann::json& empty_array() {
  static const nlohmann::json empty = nlohmann::json::array();
  return empty;
}

const nlohmann::json& empty_object() {
  static const nlohmann::json empty = nlohmann::json::object();
  return empty;
}

}  // namespace

std::string_view ComponentFields::type() const {
  const nlohmann::json* found = find("type");
  return found != nullptr && found->is_string() ? std::string_view(found->get_ref<const std::string&>())
                                                : std::string_view();
}

const nlohmann::json* ComponentFields::find(const char* key) const {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool ComponentFields::flag(const char* key, std::optional<bool> missing) {
  const nlohmann::json* found = find(key);
  if (found == nullptr && missing) return *missing;
  if (found != nullptr && found->is_boolean()) return found->get<bool>();
  fail_key(key, "must be true or false");
  return false;
}

std::string ComponentFields::text(const char* key, std::optional<std::string_view> missing) {
  const nlohmann::json* found = find(key);
  if (found == nullptr && missing) return std::string(*missing);
  if (found != nullptr && found->is_string()) return found->get<std::string>();
  fail_key(key, "must be a string");
  return {};
}

std::size_t ComponentFields::count(const char* key, std::size_t min, std::size_t max,
                                   std::optional<std::size_t> missing) {
  const nlohmann::json* found = find(key);
  if (found == nullptr && missing) return *missing;
  if (found != nullptr && found->is_number_unsigned()) {
    const auto number = found->get<std::uint64_t>();
    if (number >= min && number <= max) return static_cast<std::size_t>(number);
  }
  fail_key(key, sentence("must be a whole number from ", min, " to ", max));
  return min;
}

std::int32_t ComponentFields::character(const char* key, std::optional<std::int32_t> missing) {
  if (find(key) == nullptr && missing) return *missing;
  const std::string text = this->text(key);
  if (failed()) return ' ';
  if (!text.empty() && first_character(text).length == text.size()) return first_character(text).code;
  fail_key(key, "must be one character");
  return ' ';
}

const nlohmann::json& ComponentFields::array(const char* key) {
  const nlohmann::json* found = find(key);
  if (found != nullptr && found->is_array()) return *found;
  fail_key(key, "must be an array");
  return empty_array();
}

const nlohmann::json& ComponentFields::steps(const char* key) {
  constexpr std::size_t kMaxSteps = 64;
  const nlohmann::json& found = array(key);
  if (found.size() <= kMaxSteps) return found;
  fail_key(key, sentence("has ", found.size(), " components; it may have ", kMaxSteps));
  return empty_array();
}

const nlohmann::json& ComponentFields::object(const char* key) {
  const nlohmann::json* found = find(key);
  if (found != nullptr && found->is_object()) return *found;
  fail_key(key, "must be an object");
  return empty_object();
}

void ComponentFields::fail(ErrorCode code, std::string_view rest) {
  if (!error_) error_ = Error{code, sentence(place_, " ", rest)};
}

void ComponentFields::fail_key(const char* key, std::string_view rest) {
  const std::string_view type = this->type();
  fail(ErrorCode::kBadFile,
       sentence(type.empty() ? "" : shortened(type), type.empty() ? "" : ": ", "\"", key, "\" ", rest));
}

void ComponentFields::fail_unknown() {
  fail(ErrorCode::kUnsupported, type().empty() ? "has no \"type\""
                                               : sentence("has type ", internal::quoted(type()),
                                                          ", which this version does not know"));
}

}  // namespace partita::internal
