// Typed look-ups with limits in a JSON object of an untrusted file. Internal to api/.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "partita/result.hpp"

namespace partita::internal {

/// It keeps the first error, in `error`; look-ups after it return values within the limits, so callers read
/// all fields and check once. A null counts as missing.
class JsonFields {
 public:
  /// `prefix` stands before the keys in error messages: "'config.json': ". All three must outlive it.
  JsonFields(const nlohmann::json& object, std::string prefix, std::optional<Error>& error)
      : object_(object), prefix_(std::move(prefix)), error_(error) {}

  bool has(const char* key) { return find(key) != nullptr; }
  bool is(const char* key, std::string_view text);
  bool is_null(const char* key) const;  // and not missing
  bool empty() const { return object_.empty(); }

  /// The first key, in alphabetical order, that both have with different values; empty: none.
  std::string differing_key(const JsonFields& other) const;

  /// The first of these keys that the object has, or the first.
  const char* first_of(std::initializer_list<const char*> keys);

  /// Elements of an array, bytes of a string; 0 for all else.
  std::size_t length(const char* key);

  /// missing: the value without the key; none: the key is required.
  std::uint32_t count(const char* key, std::uint32_t min, std::uint32_t max,
                      std::optional<std::uint32_t> missing = std::nullopt);
  double number(const char* key, double min, double max, double missing);
  bool flag(const char* key, bool missing);

  /// For what model files have no key: any value but this one, which is also that without the key unless the
  /// key is required, is an error. {}: null.
  using Only = std::variant<std::monostate, bool, double, std::string_view>;
  void only(const char* key, const Only& value, bool required = false);

  std::string text(const char* key, std::string_view missing);

  /// An array of min_count to max_count whole numbers from min to max.
  std::vector<std::int32_t> integers(const char* key, std::size_t min_count, std::size_t max_count,
                                     std::int64_t min, std::int64_t max);

  /// An array of `count` numbers from min to max, required.
  std::vector<float> numbers(const char* key, std::size_t count, double min, double max);

  /// An array of `count` numbers, in which null and {"__float__": "Infinity"} are infinity; empty without the
  /// key.
  std::vector<double> bounds(const char* key, std::size_t count);

  /// An array of `count` strings; empty without the key.
  std::vector<std::string> texts(const char* key, std::size_t count);

  /// The fields of an object; of an empty one without the key.
  JsonFields object(const char* key);

  /// "'config.json': KEY is VALUE, and REST"
  void fail(ErrorCode code, const char* key, std::string_view rest);

  /// For the result of object(): an error if it has keys that were not looked up, such as misspelt ones,
  /// which would be ignored silently.
  void refuse_unknown_keys();

 private:
  const nlohmann::json* find(const char* key);
  void keep(ErrorCode code, std::string message);

  const nlohmann::json& object_;
  std::string prefix_;
  std::optional<Error>& error_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace partita::internal
