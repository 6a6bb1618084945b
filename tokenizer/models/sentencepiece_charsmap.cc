#include "tokenizer/models/sentencepiece_charsmap.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace partita::internal {
namespace {

constexpr std::size_t kUnitBytes = sizeof(std::uint32_t);

std::uint32_t unit_at(std::string_view units, std::size_t i) {
  std::uint32_t unit = 0;  // little-endian, as the library reads them
  std::memcpy(&unit, units.data() + i * kUnitBytes, sizeof unit);
  return unit;
}

// Bits of a unit: 31: the unit is a value; 10 to 30: offset, shifted left by 8 if bit 9 is set; 8: the unit
// has a value; 0 to 7: the byte that leads to the unit.
bool is_value(std::uint32_t unit) { return unit >> 31 != 0; }
bool has_value(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t offset(std::uint32_t unit) { return unit >> 10 << ((unit & 1U << 9) >> 6); }
std::uint32_t value(std::uint32_t unit) { return unit & ~(1U << 31); }

/// A double array: entry i leads from node i ^ label to node i ^ offset. Entry 0 leads from nowhere to the
/// first node, whatever its other bits say.
class DoubleArray {
 public:
  DoubleArray(std::string_view units, std::string_view texts)
      : units_(units), texts_(texts), count_(units.size() / kUnitBytes), matches_(count_, kUnknown) {}

  bool is_valid() {
    for (std::size_t i = 0; i < count_; ++i) {
      if ((i == 0 || !is_value(unit_at(units_, i))) && !stays_within(i)) return false;
    }
    return matches_below(next(0)) <= kMaxMatches;
  }

 private:
  // Of a node: how many prefixes of one text match below it.
  static constexpr std::uint8_t kUnknown = 0xFF, kBeingCounted = 0xFE, kTooMany = 0xFD;
  static constexpr std::uint8_t kMaxMatches = 32;      // the size of the library's array
  static constexpr std::size_t kMaxReplacement = 512;  // bytes; the longest of Unicode's tables has 33

  std::size_t next(std::size_t i) const { return i ^ offset(unit_at(units_, i)); }

  bool stays_within(std::size_t i) const {
    // Any byte may follow here: the library reads the unit of that byte before it compares the label.
    if ((next(i) | 0xFF) >= count_) return false;
    if (!has_value(unit_at(units_, i))) return true;
    const std::uint32_t start = value(unit_at(units_, next(i)));
    return start < texts_.size() &&
           texts_.substr(start, kMaxReplacement + 1).find('\0') != std::string_view::npos;
  }

  /// Nodes may share what follows. A node that follows itself matches too many prefixes of some text.
  std::uint8_t matches_below(std::size_t first) {
    std::vector<Visit> open = {{first}};
    matches_[first] = kBeingCounted;
    while (!open.empty()) {
      Visit& visit = open.back();
      if (visit.label == 256) {
        matches_[visit.node] = visit.most;
        open.pop_back();
        continue;
      }
      const std::size_t i = visit.node ^ visit.label;
      const std::uint32_t unit = unit_at(units_, i);
      const bool follows = !is_value(unit) && (unit & 0xFF) == visit.label;
      const std::uint8_t known = follows ? matches_[next(i)] : 0;
      if (known == kBeingCounted) return kTooMany;
      if (known == kUnknown) {
        matches_[next(i)] = kBeingCounted;
        open.push_back({next(i)});
        continue;  // and comes back to the same label
      }
      if (follows) visit.most = std::max<std::uint8_t>(visit.most, known + (has_value(unit) ? 1 : 0));
      if (visit.most > kMaxMatches) return kTooMany;
      ++visit.label;
    }
    return matches_[first];
  }

  struct Visit {
    std::size_t node = 0;
    std::uint32_t label = 0;
    std::uint8_t most = 0;  // of the labels before
  };

  std::string_view units_;
  std::string_view texts_;
  std::size_t count_;
  std::vector<std::uint8_t> matches_;
};

}  // namespace

bool is_valid_charsmap(std::string_view table) {
  if (table.empty()) return true;
  if (table.size() <= kUnitBytes) return false;
  const std::size_t array_bytes = unit_at(table, 0);
  table.remove_prefix(kUnitBytes);
  if (array_bytes == 0 || array_bytes % kUnitBytes != 0 || array_bytes >= table.size()) return false;
  const std::string_view texts = table.substr(array_bytes);
  return texts.back() == '\0' && DoubleArray(table.substr(0, array_bytes), texts).is_valid();
}

}  // namespace partita::internal
