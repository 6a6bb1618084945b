#include "tokenizer/models/sentencepiece_charsmap.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace partita {
namespace {

constexpr std::size_t kUnitBytes = sizeof(std::uint32_t);

std::uint32_t unit_at(std::string_view units, std::size_t i) {
  std::uint32_t unit = 0;  // little-endian, as the library takes them
  std::memcpy(&unit, units.data() + i * kUnitBytes, sizeof unit);
  return unit;
}

// Bits of a unit: 31 it is a value; 10 .. 30 an offset, 8 bits further up with bit 9; 8 it has a value; 0 ..
// 7 the byte that leads to it.
bool is_value(std::uint32_t unit) { return unit >> 31 != 0; }
bool has_value(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t offset(std::uint32_t unit) { return unit >> 10 << ((unit & 1U << 9) >> 6); }
std::uint32_t value(std::uint32_t unit) { return unit & ~(1U << 31); }

}  // namespace

bool is_charsmap(std::string_view table) {
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
    // From here any byte may follow: the library reads the unit there before it compares that.
    const std::size_t next = i ^ offset(unit);
    if ((next | 0xFF) >= count) return false;
    if (has_value(unit) && value(unit_at(units, next)) >= texts.size()) return false;
  }
  return true;
}

}  // namespace partita
