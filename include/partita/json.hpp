// Limits of JSON from outside; part of partita.hpp.
#pragma once

#include <cstddef>
#include <string_view>

#include "partita/export.hpp"
#include "partita/result.hpp"

namespace partita {

/// How deep objects and arrays may nest, wherever JSON is read: what walks a value does so by recursion.
inline constexpr std::size_t kMaxJsonDepth = 100;

/// What a text may be at most besides, so that none can, with a few bytes a value, fill the memory.
struct JsonLimits {
  std::size_t bytes = std::size_t{100} << 20;
  std::size_t values = std::size_t{1} << 22;  // of every kind, objects and arrays among them
};

/// Checks that `text` is one JSON value within kMaxJsonDepth and the limits: a parser without limits may then
/// read it. `where` begins the sentence of an error ("line 3"). Error: kBadFile, naming the byte, the
/// number that is out of range, or the limit.
PARTITA_API Result<void> check_json(std::string_view text, std::string_view where,
                                    const JsonLimits& limits = {});

}  // namespace partita
