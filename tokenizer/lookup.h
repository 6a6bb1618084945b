// Hash tables over a vocabulary: strings to ids, and pairs of ids to their merge. They are filled once, never
// grow, and are read-only afterwards. Both hashes use a seed that differs from run to run, so that a crafted
// vocabulary cannot make every look-up collide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace partita::internal {

inline constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio

/// XOR of both halves of the 128-bit product: every bit of either factor affects every bit of the result.
inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Strings in one buffer, numbered from 0, with an index over some of them.
class StringTable {
 public:
  /// strings: the maximum number of strings; bytes: their total length (a hint). Precondition: fewer than
  /// 2^31 strings and 4 GiB.
  StringTable(std::size_t strings, std::size_t bytes);

  /// The new string has the number size() - 1. `findable`: find() finds it; of equal strings it finds the
  /// last.
  void add(std::string_view string, bool findable);

  std::size_t size() const { return ends_.size() - 1; }
  std::string_view operator[](std::size_t i) const {
    return std::string_view(bytes_).substr(ends_[i], ends_[i + 1] - ends_[i]);
  }
  std::optional<std::int32_t> find(std::string_view string) const;

  /// The length of the longest string that find() can find.
  std::size_t longest() const { return longest_; }

 private:
  struct Slot {
    std::uint32_t hash;
    std::int32_t index;  // -1: free
  };
  std::size_t slot_of(std::string_view string, std::uint64_t hash) const;

  std::string bytes_;
  std::vector<std::uint32_t> ends_{0};  // string i is bytes [ends_[i], ends_[i + 1])
  std::vector<Slot> slots_;             // open addressing, at most half full
  std::uint64_t seed_;
  std::size_t longest_ = 0;
};

/// The result of merging two adjacent tokens. Lower ranks merge first.
struct Merge {
  std::uint32_t rank;
  std::int32_t id;
};

/// Merges by their two parts.
class MergeTable {
 public:
  /// Precondition: fewer than 2^31 merges will be set.
  explicit MergeTable(std::size_t merges);

  /// Setting a pair again replaces its merge.
  void set(std::int32_t left, std::int32_t right, Merge merge);

  /// Most pairs of tokens have no merge: a bit of a small table answers for nearly all of these.
  std::optional<Merge> find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t pair = pair_key(left, right);
    const std::uint64_t hash = hash_of(pair);
    if ((filter_[filter_word(hash)] & filter_bit(hash)) == 0) return std::nullopt;
    const Slot& slot = slots_[slot_of(pair, hash)];
    if (slot.merge.id < 0) return std::nullopt;
    return slot.merge;
  }

 private:
  struct Slot {
    std::uint64_t pair;
    Merge merge;  // id -1: free
  };

  static std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }

  std::uint64_t hash_of(std::uint64_t pair) const { return fold(pair ^ seed_, seed_ ^ kGoldenRatio); }

  std::size_t slot_of(std::uint64_t pair, std::uint64_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].merge.id >= 0 && slots_[at].pair != pair) at = (at + 1) & mask;
    return at;
  }

  std::size_t filter_word(std::uint64_t hash) const { return (hash >> 8) & (filter_.size() - 1); }
  static std::uint64_t filter_bit(std::uint64_t hash) { return std::uint64_t{1} << (hash >> 58); }

  std::vector<Slot> slots_;            // open addressing, at most three quarters full
  std::vector<std::uint64_t> filter_;  // four bits or more for each slot
  std::uint64_t seed_;
};

}  // namespace partita::internal
