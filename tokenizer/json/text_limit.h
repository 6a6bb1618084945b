// How long a component of tokenizer.json may make a text.
#pragma once

#include <algorithm>
#include <cstddef>

#include "partita/result.hpp"
#include "tokenizer/vocabulary.h"
#include "weights/sentence.h"

namespace partita::internal {

/// Bytes that a text of `size` bytes may become. Normal forms are up to 11 times as long as a text, and the
/// byte alphabet doubles that.
inline std::size_t grown_limit(std::size_t size) {
  constexpr std::size_t kMaxGrowth = 32, kAlways = std::size_t{1} << 16, kMaxGrown = 4 * kMaxText;
  return std::min(kMaxGrown, kMaxGrowth * std::min(size, kMaxText) + kAlways);
}

inline Result<void> check_grown(std::size_t size, std::size_t limit) {
  if (size <= limit) return {};
  return Error{ErrorCode::kUnsupported,
               sentence("tokenizer.json makes a text grow beyond its limit of ", limit, " bytes")};
}

}  // namespace partita::internal
