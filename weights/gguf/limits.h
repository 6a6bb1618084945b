// Sizes and limits of GGUF files.
#pragma once

#include <cstdint>

namespace partita::internal {

/// Magic, version, tensor count, key count.
inline constexpr std::uint64_t kGgufHeaderBytes = 24;

/// More keys than any model has (about 30 to 100), few enough to bound the table for a hostile file.
inline constexpr std::uint64_t kMaxGgufKeys = 4096;

/// The maximum length of keys and tensor names in bytes; the minimum is 1.
inline constexpr std::uint64_t kMaxGgufNameBytes = 65535;

/// Tensor offsets are multiples of general.alignment: a power of two in this range, 32 if the key is absent.
inline constexpr std::uint64_t kMinGgufAlignment = 8;
inline constexpr std::uint64_t kMaxGgufAlignment = 65536;

}  // namespace partita::internal
