// JSON from files that nobody vouches for: bounded in depth and in values, no key twice.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "partita/result.hpp"

namespace partita {

/// What a text may be at most, so that none can fill the stack or, with a few bytes a value, the memory.
struct JsonLimits {
  std::size_t bytes = std::size_t{100} << 20;
  std::size_t depth = 8;                      // of objects and arrays within each other
  std::size_t values = std::size_t{1} << 22;  // of every kind, objects and arrays among them
};

/// The value that `text` is, whole. `where` begins the sentence of an error ("'m.safetensors': the header").
/// Errors: kBadFile for what is no JSON, more than the limits allow, or an object with a key twice.
Result<nlohmann::json> read_json(std::string_view text, std::string_view where, const JsonLimits& limits);

}  // namespace partita
