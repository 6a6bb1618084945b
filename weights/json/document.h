// JSON values whose destructors do not allocate, so that they can be destroyed when memory is exhausted.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <utility>

namespace partita::internal {

/// Empties a value, innermost parts first. nlohmann::json's destructor of a non-empty object or array
/// allocates a list of its parts, which ends the program if memory is exhausted. The recursion is as deep as
/// the value.
template <class Json>
void dismantle(Json& value) noexcept {
  if (auto* array = value.template get_ptr<typename Json::array_t*>()) {
    for (Json& element : *array) dismantle(element);
    array->clear();
  } else if (auto* object = value.template get_ptr<typename Json::object_t*>()) {
    for (auto& [key, element] : *object) dismantle(element);
    object->clear();
  }
}

/// Reserves capacity for `keys` keys in total. An ordered object deep-copies its values when it grows, so
/// capacity is reserved before values with parts are inserted.
inline void reserve_keys(nlohmann::ordered_json& object, std::size_t keys) {
  object.get_ref<nlohmann::ordered_json::object_t&>().reserve(keys);
}

/// A JSON value that is dismantled on destruction. If every value inserted into it is a string, a number or
/// an empty object or array, destroying it never allocates.
template <class Json>
class BasicJsonDocument : public Json {
 public:
  BasicJsonDocument() = default;
  explicit BasicJsonDocument(Json value) noexcept : Json(std::move(value)) {}
  BasicJsonDocument(BasicJsonDocument&& other) noexcept : Json(std::move(static_cast<Json&>(other))) {}
  BasicJsonDocument& operator=(BasicJsonDocument&& other) noexcept {
    this->swap(static_cast<Json&>(other));
    return *this;
  }
  BasicJsonDocument(const BasicJsonDocument&) = delete;
  BasicJsonDocument& operator=(const BasicJsonDocument&) = delete;
  ~BasicJsonDocument() { dismantle(static_cast<Json&>(*this)); }
};

using JsonDocument = BasicJsonDocument<nlohmann::json>;
using OrderedJsonDocument = BasicJsonDocument<nlohmann::ordered_json>;

/// The same object with capacity for `more` further keys.
inline OrderedJsonDocument with_capacity(OrderedJsonDocument from, std::size_t more) {
  using Object = nlohmann::ordered_json::object_t;
  OrderedJsonDocument out{nlohmann::ordered_json::object()};
  reserve_keys(out, from.size() + more);
  for (auto& [key, value] : from.get_ref<Object&>()) {
    out.get_ref<Object&>().emplace_back(key, nullptr).second.swap(value);
  }
  return out;
}

}  // namespace partita::internal
