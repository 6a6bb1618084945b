// How much memory a model needs, and how much the machine has.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "engine/cache/state_shape.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// Bytes of the weights in memory: matrices as panels, all else as floats. Tensors of types without a codec
/// are not counted.
std::uint64_t weight_bytes(const Gguf& file);

/// Bytes that a sequence of `tokens` takes in the cache.
std::uint64_t cache_bytes(std::span<const StateShape> states, KvType type, std::uint64_t tokens);

/// Bytes that this process can use: what the machine has free or can free, or what its container may use if
/// that is less. Nothing if the system does not say. `root` is the directory that contains /proc and /sys.
std::optional<std::uint64_t> free_memory(const std::string& root = "");

/// "3.2 GB", "14.0 MB".
std::string size_text(std::uint64_t bytes);

}  // namespace partita::internal
