// Typed, limited look-ups in a JSON object from a file that nobody vouches for. Internal to api/.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"

namespace partita {

/// The first mistake is kept, in `error`, and answers after it are harmless values, so that callers ask for
/// all that they need and look once. A value that is null counts as missing.
class JsonFields {
 public:
  /// `prefix` stands before the keys in error messages: "'config.json': ". All three must outlive it.
  JsonFields(const nlohmann::json& object, std::string prefix, std::optional<Error>& error)
      : object_(object), prefix_(std::move(prefix)), error_(error) {}

  bool has(const char* key) { return find(key) != nullptr; }

  /// Without `missing` the key must be there.
  std::uint32_t count(const char* key, std::uint32_t min, std::uint32_t max,
                      std::optional<std::uint32_t> missing = std::nullopt);
  double number(const char* key, double min, double max, double missing);
  bool flag(const char* key, bool missing);
  std::string text(const char* key, std::string_view missing);

  /// An array of `least` to `most` whole numbers from min to max.
  std::vector<std::int32_t> integers(const char* key, std::size_t least, std::size_t most, std::int64_t min,
                                     std::int64_t max);

  /// The fields of an object; of an empty one where there is none.
  JsonFields object(const char* key);

  /// "'config.json': KEY is VALUE, and REST"
  void fail(ErrorCode code, const char* key, std::string_view rest);

  /// Of fields that object() gave: refuses keys that nobody has asked for, for a slip of the pen would be
  /// left out in silence.
  void refuse_others();

 private:
  const nlohmann::json* find(const char* key);
  void keep(ErrorCode code, std::string message);

  const nlohmann::json& object_;
  std::string prefix_;
  std::optional<Error>& error_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace partita
