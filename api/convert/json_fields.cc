#include "api/convert/json_fields.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "weights/sentence.h"

namespace partita::internal {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxShown = 64;  // bytes of a value in an error message

std::string shown(const Json* value) {
  if (value == nullptr) return "missing";
  if (value->is_structured()) return value->is_array() ? "an array" : "an object";
  // Only the shown part of a long string is escaped.
  const bool is_long = value->is_string() && value->get_ref<const std::string&>().size() > kMaxShown;
  const Json cut = is_long ? Json(value->get_ref<const std::string&>().substr(0, kMaxShown)) : Json();
  const std::string text = (is_long ? cut : *value).dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() <= kMaxShown && !is_long ? text : text.substr(0, kMaxShown) + "...";
}

bool is_value(const Json& found, const JsonFields::Only& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return found.is_boolean() && found.get<bool>() == *flag;
  if (const auto* number = std::get_if<double>(&value))
    return found.is_number() && found.get<double>() == *number;
  const auto* text = std::get_if<std::string_view>(&value);
  return text != nullptr && found.is_string() && found.get_ref<const std::string&>() == *text;
}

std::string text_of_value(const JsonFields::Only& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value)) return rounded_text(*number);
  const auto* text = std::get_if<std::string_view>(&value);
  return text == nullptr ? "null" : sentence("\"", *text, "\"");
}

}  // namespace

const Json* JsonFields::find(const char* key) {
  asked_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonFields::is(const char* key, std::string_view text) {
  const Json* value = find(key);
  return value != nullptr && value->is_string() && value->get_ref<const std::string&>() == text;
}

bool JsonFields::is_null(const char* key) const {
  const auto found = object_.find(key);
  return found != object_.end() && found->is_null();
}

const char* JsonFields::first_of(std::initializer_list<const char*> keys) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const char* key) { return has(key); });
  return found == keys.end() ? *keys.begin() : *found;
}

std::size_t JsonFields::length(const char* key) {
  const Json* value = find(key);
  if (value == nullptr) return 0;
  return value->is_string()  ? value->get_ref<const std::string&>().size()
         : value->is_array() ? value->size()
                             : 0;
}

void JsonFields::keep(ErrorCode code, std::string message) {
  if (!error_) error_ = Error{code, std::move(message)};
}

void JsonFields::fail(ErrorCode code, const char* key, std::string_view rest) {
  keep(code, sentence(prefix_, key, " is ", shown(find(key)), ", and ", rest));
}

std::uint32_t JsonFields::count(const char* key, std::uint32_t min, std::uint32_t max,
                                std::optional<std::uint32_t> missing) {
  const Json* value = find(key);
  if (value == nullptr && missing) return *missing;
  if (value != nullptr && value->is_number_unsigned()) {
    const auto number = value->get<std::uint64_t>();
    if (number >= min && number <= max) return static_cast<std::uint32_t>(number);
  }
  fail(ErrorCode::kBadFile, key, sentence("must be a whole number between ", min, " and ", max));
  return min;
}

double JsonFields::number(const char* key, double min, double max, double missing) {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  if (value->is_number()) {
    const auto number = value->get<double>();
    if (number >= min && number <= max) return number;
  }
  fail(ErrorCode::kBadFile, key,
       sentence("must be a number between ", rounded_text(min), " and ", rounded_text(max)));
  return min;
}

bool JsonFields::flag(const char* key, bool missing) {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  if (value->is_boolean()) return value->get<bool>();
  fail(ErrorCode::kBadFile, key, "must be true or false");
  return missing;
}

void JsonFields::only(const char* key, const Only& value, bool required) {
  const Json* found = find(key);
  if (found == nullptr ? required : !is_value(*found, value))
    fail(ErrorCode::kUnsupported, key, sentence("only ", text_of_value(value), " can be converted"));
}

std::string JsonFields::text(const char* key, std::string_view missing) {
  const Json* value = find(key);
  if (value == nullptr) return std::string(missing);
  if (value->is_string()) return value->get<std::string>();
  fail(ErrorCode::kBadFile, key, "must be a string");
  return std::string(missing);
}

std::vector<std::int32_t> JsonFields::integers(const char* key, std::size_t min_count, std::size_t max_count,
                                               std::int64_t min, std::int64_t max) {
  std::vector<std::int32_t> numbers;
  const Json* value = find(key);
  if (value == nullptr || !value->is_array()) {
    fail(ErrorCode::kBadFile, key, "must be an array of whole numbers");
    return numbers;
  }
  if (value->size() < min_count || value->size() > max_count) {
    keep(ErrorCode::kBadFile, sentence(prefix_, key, " has ", value->size(), " numbers, and must have ",
                                       min_count, min_count == max_count ? "" : sentence(" to ", max_count)));
    return numbers;
  }
  numbers.reserve(value->size());
  for (const Json& element : *value) {
    const bool fits = element.is_number_unsigned()
                          ? max >= 0 && element.get<std::uint64_t>() <= static_cast<std::uint64_t>(max)
                          : element.is_number_integer();
    const std::int64_t number = fits ? element.get<std::int64_t>() : min - 1;
    if (number < min || number > max) {
      keep(ErrorCode::kBadFile, sentence(prefix_, key, "[", numbers.size(), "] is ", shown(&element),
                                         ", and must be a whole number between ", min, " and ", max));
      return {};
    }
    numbers.push_back(static_cast<std::int32_t>(number));
  }
  return numbers;
}

std::vector<float> JsonFields::numbers(const char* key, std::size_t count, double min, double max) {
  const Json* value = find(key);
  std::vector<float> all;
  const auto in_bounds = [&](const Json& e) {
    return e.is_number() && e.get<double>() >= min && e.get<double>() <= max;
  };
  if (value != nullptr && value->is_array() && value->size() == count &&
      std::all_of(value->begin(), value->end(), in_bounds)) {
    for (const Json& element : *value) all.push_back(element.get<float>());
  } else {
    fail(ErrorCode::kBadFile, key,
         sentence("must be an array of ", count, " numbers between ", rounded_text(min), " and ",
                  rounded_text(max)));
  }
  return all;
}

std::vector<double> JsonFields::bounds(const char* key, std::size_t count) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  static const Json kInfinity = {{"__float__", "Infinity"}};
  std::vector<double> all;
  const auto is_bound = [](const Json& e) { return e.is_number() || e.is_null() || e == kInfinity; };
  const bool fits =
      value->is_array() && value->size() == count && std::all_of(value->begin(), value->end(), is_bound);
  if (!fits) fail(ErrorCode::kBadFile, key, sentence("must be an array of ", count, " numbers"));
  for (std::size_t i = 0; i < count && fits; ++i) {
    const Json& element = (*value)[i];
    all.push_back(element.is_number() ? element.get<double>() : std::numeric_limits<double>::infinity());
  }
  return all;
}

std::vector<std::string> JsonFields::texts(const char* key, std::size_t count) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  std::vector<std::string> all;
  const bool fits = value->is_array() && value->size() == count &&
                    std::all_of(value->begin(), value->end(), [](const Json& e) { return e.is_string(); });
  if (fits) {
    for (const Json& element : *value) all.push_back(element.get<std::string>());
  } else {
    fail(ErrorCode::kBadFile, key, sentence("must be an array of ", count, " strings"));
  }
  return all;
}

JsonFields JsonFields::object(const char* key) {
  static const Json kNothing = Json::object();
  const Json* value = find(key);
  if (value != nullptr && !value->is_object()) fail(ErrorCode::kBadFile, key, "must be an object");
  const bool usable = value != nullptr && value->is_object();
  return {usable ? *value : kNothing, sentence(prefix_, key, "."), error_};
}

std::string JsonFields::differing_key(const JsonFields& other) const {
  for (const auto& item : object_.items()) {
    const auto found = other.object_.find(item.key());
    if (found == other.object_.end() || found->is_null() || item.value().is_null()) continue;
    if (*found != item.value()) return item.key();
  }
  return {};
}

void JsonFields::refuse_unknown_keys() {
  for (const auto& item : object_.items()) {
    if (asked_.contains(item.key())) continue;
    return keep(ErrorCode::kUnsupported, sentence(std::string_view(prefix_).substr(0, prefix_.size() - 1),
                                                  " has the key ", internal::quoted(item.key()),
                                                  ", which is unknown: remove it or check its spelling"));
  }
}

}  // namespace partita::internal
