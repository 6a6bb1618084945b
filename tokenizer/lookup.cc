#include "tokenizer/lookup.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>

namespace partita::internal {
namespace {

/// An odd seed that the author of a vocabulary cannot predict: from the clock and the stack address (ASLR).
std::uint64_t new_seed() {
  const auto ticks = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  const auto place = reinterpret_cast<std::uintptr_t>(&ticks);
  return fold(ticks ^ kGoldenRatio, (place << 1) ^ kGoldenRatio) | 1;
}

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t hash = seed ^ bytes.size();
  while (!bytes.empty()) {
    std::uint64_t chunk = 0;
    const std::size_t n = std::min(bytes.size(), sizeof chunk);
    std::memcpy(&chunk, bytes.data(), n);
    hash = fold(hash ^ chunk, seed ^ kGoldenRatio);
    bytes.remove_prefix(n);
  }
  return fold(hash, kGoldenRatio);
}

std::size_t capacity(std::size_t entries) { return std::bit_ceil(2 * entries + 2); }

}  // namespace

StringTable::StringTable(std::size_t strings, std::size_t bytes)
    : slots_(capacity(strings), Slot{0, -1}), seed_(new_seed()) {
  bytes_.reserve(bytes);
  ends_.reserve(strings + 1);
}

void StringTable::add(std::string_view string, bool findable) {
  const auto index = static_cast<std::int32_t>(size());
  bytes_.append(string);
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  if (!findable) return;
  const std::uint64_t hash = hash_bytes(string, seed_);
  Slot& slot = slots_[slot_of(string, hash)];
  slot = {static_cast<std::uint32_t>(hash >> 32), index};
  longest_ = std::max(longest_, string.size());
}

std::optional<std::int32_t> StringTable::find(std::string_view string) const {
  if (string.size() > longest_) return std::nullopt;
  const Slot& slot = slots_[slot_of(string, hash_bytes(string, seed_))];
  if (slot.index < 0) return std::nullopt;
  return slot.index;
}

/// The slot that holds `string`, or the free slot for it.
std::size_t StringTable::slot_of(std::string_view string, std::uint64_t hash) const {
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].index >= 0 &&
         (slots_[at].hash != tag || (*this)[static_cast<std::size_t>(slots_[at].index)] != string)) {
    at = (at + 1) & mask;
  }
  return at;
}

MergeTable::MergeTable(std::size_t merges)
    : slots_(std::bit_ceil(merges + merges / 3 + 2), Slot{0, {0, -1}}),
      filter_(std::bit_ceil(slots_.size() / 16 + 1)),
      seed_(new_seed()) {}

void MergeTable::set(std::int32_t left, std::int32_t right, Merge merge) {
  const std::uint64_t pair = pair_key(left, right);
  const std::uint64_t hash = hash_of(pair);
  slots_[slot_of(pair, hash)] = {pair, merge};
  filter_[filter_word(hash)] |= filter_bit(hash);
}

}  // namespace partita::internal
