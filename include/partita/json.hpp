// Limits for untrusted JSON.
#pragma once

#include <cstddef>
#include <string_view>

#include "partita/export.hpp"
#include "partita/result.hpp"

namespace partita {

/// How deep objects and arrays may nest, wherever JSON is read: values are walked by recursion.
inline constexpr std::size_t kMaxJsonDepth = 100;

/// Further limits of one text. A value takes far more memory than its few bytes of text, so values are
/// counted.
struct JsonLimits {
  std::size_t bytes = std::size_t{100} << 20;
  std::size_t values = std::size_t{1} << 22;  // of every kind, objects and arrays among them
};

/// Checks that `text` is one JSON value within kMaxJsonDepth and the limits, so that a parser without limits
/// can read it. `where` begins the error message ("line 3"). Error: kBadFile, naming the byte, the number
/// that is out of range, or the limit.
PARTITA_API Result<void> check_json(std::string_view text, std::string_view where,
                                    const JsonLimits& limits = {});

}  // namespace partita
