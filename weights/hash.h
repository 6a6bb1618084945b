// A 64-bit checksum (not cryptographic): fast; detects damaged and mixed-up files, does not resist deliberate
// collisions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace partita::internal {

/// Streaming: the sum does not depend on how the bytes are split over calls of add(). Each 64-bit word is
/// mixed in by an invertible step, so that a change within one word always changes the sum.
class Hash64 {
 public:
  void add(std::span<const std::byte> bytes) {
    length_ += bytes.size();
    for (const std::byte* at = bytes.data(); at != bytes.data() + bytes.size();) {
      if (filled_ == 0 && static_cast<std::size_t>(bytes.data() + bytes.size() - at) >= sizeof word_) {
        std::memcpy(&word_, at, sizeof word_);
        at += sizeof word_;
        mix(word_);
        word_ = 0;
        continue;
      }
      word_ |= static_cast<std::uint64_t>(*at++) << (8 * filled_);
      if (++filled_ < sizeof word_) continue;
      mix(word_);
      word_ = filled_ = 0;
    }
  }

  std::uint64_t sum() const {
    Hash64 end = *this;
    end.mix(word_);
    end.mix(length_);
    return end.state_;
  }

 private:
  void mix(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15U;
    state_ ^= state_ >> 32;
  }

  std::uint64_t state_ = 0x243F6A8885A308D3U;
  std::uint64_t word_ = 0;
  std::size_t filled_ = 0, length_ = 0;
};

}  // namespace partita::internal
