// Typed look-ups in a component of tokenizer.json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "partita/result.hpp"

namespace partita::internal {

/// The fields of one component. It keeps the first error of a file in `error`, which all its components
/// share; look-ups after it return harmless values, so readers read all fields and check once. A null counts
/// as missing.
class ComponentFields {
 public:
  /// place: "normalizer", "pre_tokenizer". All but `place` must outlive it.
  ComponentFields(const nlohmann::json& object, std::string place, std::optional<Error>& error)
      : object_(object), place_(std::move(place)), error_(error) {}

  /// Of the object itself: its "type"; empty if it has none.
  std::string_view type() const;

  /// Null: missing.
  const nlohmann::json* find(const char* key) const;

  /// `missing`: the value without the key; none: the key is required.
  bool flag(const char* key, std::optional<bool> missing = std::nullopt);
  std::string text(const char* key, std::optional<std::string_view> missing = std::nullopt);
  std::size_t count(const char* key, std::size_t min, std::size_t max, std::optional<std::size_t> missing);
  std::int32_t character(const char* key, std::optional<std::int32_t> missing = std::nullopt);

  /// Required; an empty value after an error.
  const nlohmann::json& array(const char* key);
  const nlohmann::json& steps(const char* key);  // an array of at most 64
  const nlohmann::json& object(const char* key);

  void fail(ErrorCode code, std::string_view rest);  // "PLACE REST"
  void fail_key(const char* key, std::string_view rest);
  void fail_unknown();  // its "type" is not one that this version knows

  bool failed() const { return error_.has_value(); }
  const std::string& place() const { return place_; }
  const nlohmann::json& json() const { return object_; }
  std::optional<Error>& error() { return error_; }

  /// The fields of a component in this one.
  ComponentFields inner(const nlohmann::json& object) { return {object, place_, error_}; }

 private:
  const nlohmann::json& object_;
  std::string place_;
  std::optional<Error>& error_;
};

/// Reads a component by its row in a table of {type, read}. The result is null after an error.
template <class Kinds>
auto read_kind(ComponentFields& fields, const Kinds& kinds) {
  decltype(kinds[0].read(fields)) made = nullptr;
  for (const auto& kind : kinds) {
    if (kind.type != fields.type()) continue;
    made = kind.read(fields);
    if (fields.failed()) made = nullptr;
    return made;
  }
  fields.fail_unknown();
  return made;
}

}  // namespace partita::internal
