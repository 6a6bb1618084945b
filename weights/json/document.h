// JSON values that can be destroyed where memory has run out.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <utility>

namespace partita {

/// Empties a value from the inside out. nlohmann::json's destructor allocates a list of all that it destroys,
/// which ends the program where there is no memory, but for objects and arrays that are empty. Recurses as
/// deep as the value does.
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

/// Room for so many keys in all. Ordered objects copy their values, whole, when they grow: what has parts is
/// put where there is room.
inline void reserve_keys(nlohmann::ordered_json& object, std::size_t keys) {
  object.get_ref<nlohmann::ordered_json::object_t&>().reserve(keys);
}

/// A value that is dismantled at its end. What is put into it piece by piece, each piece of text, a number or
/// an empty object or array, needs no memory to be destroyed at any time.
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

/// The same object with room for more keys.
inline OrderedJsonDocument with_room(OrderedJsonDocument from, std::size_t more) {
  using Object = nlohmann::ordered_json::object_t;
  OrderedJsonDocument out{nlohmann::ordered_json::object()};
  reserve_keys(out, from.size() + more);
  for (auto& [key, value] : from.get_ref<Object&>()) {
    out.get_ref<Object&>().emplace_back(key, nullptr).second.swap(value);
  }
  return out;
}

}  // namespace partita
