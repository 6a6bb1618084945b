#include "tokenizer/models/sentencepiece_charsmap.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

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

}  // namespace

bool is_valid_charsmap(std::string_view table) {
  if (table.empty()) return true;
  if (table.size() <= kUnitBytes) return false;
  const std::size_t array_bytes = unit_at(table, 0);
  table.remove_prefix(kUnitBytes);
  if (array_bytes == 0 || array_bytes % kUnitBytes != 0 || array_bytes >= table.size()) return false;
  const std::string_view units = table.substr(0, array_bytes), texts = table.substr(array_bytes);
  if (texts.back() != '\0') return false;
  const std::size_t count = array_bytes / kUnitBytes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t unit = unit_at(units, i);
    if (is_value(unit)) continue;
    // Any byte may follow here: the library reads the unit of that byte before it compares the label.
    const std::size_t next = i ^ offset(unit);
    if ((next | 0xFF) >= count) return false;
    if (has_value(unit) && value(unit_at(units, next)) >= texts.size()) return false;
  }
  return true;
}

}  // namespace partita::internal
