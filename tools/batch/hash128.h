// A hash of row ids.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tools {

/// A 128-bit FNV-1a hash of a text.
struct Hash128 {
  std::uint64_t high = 0, low = 0;
  bool operator==(const Hash128&) const = default;
};
Hash128 hash128(std::string_view text);
std::string hex(const Hash128& hash);  // 32 digits

}  // namespace tools
