// Limits of the models that Partita opens. Each is far above existing models; products of two of them fit in
// 64 bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace partita::internal {

inline constexpr std::uint32_t kMaxLayers = 1024;
inline constexpr std::uint32_t kMaxWidth = 65536;           // hidden_size, heads * head_dim
inline constexpr std::uint32_t kMaxLatentWidth = 1u << 18;  // heads * latent
inline constexpr std::uint32_t kMaxFfn = 1u << 20;
inline constexpr std::uint32_t kMaxHeads = 4096;
inline constexpr std::uint32_t kMaxExperts = 1024;
inline constexpr std::uint32_t kMaxVocab = 1u << 24;
inline constexpr std::uint32_t kMaxContext = 1u << 24;  // positions are exact in float up to here
inline constexpr double kMaxRopeBase = 1e12;
inline constexpr std::uint32_t kMaxVersions = 8;         // of the residual stream
inline constexpr std::uint32_t kMaxTaps = 64;            // of a convolution
inline constexpr std::uint32_t kMaxMambaPlaces = 256;    // of the state of a channel: decays are on the stack
inline constexpr std::uint32_t kMaxMamba2Places = 4096;  // likewise, in memory
inline constexpr std::size_t kMaxLayerState = std::size_t{1} << 23;  // numbers in a recurrent layer's state
inline constexpr std::size_t kMaxState = std::size_t{1} << 30;       // in those of all layers
inline constexpr std::size_t kMaxMixtureContexts = 256;              // of a mixture of softmaxes

}  // namespace partita::internal
