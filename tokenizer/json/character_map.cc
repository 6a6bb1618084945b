#include "tokenizer/json/character_map.h"

#include <utf8proc.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "tokenizer/base64.h"
#include "tokenizer/json/characters.h"
#include "tokenizer/models/sentencepiece_charsmap.h"

namespace partita::internal {
namespace {

std::string_view first_cluster(std::string_view text) {
  JsonCharacter before = first_character(text);
  std::size_t end = before.length;
  for (utf8proc_int32_t state = 0; end < text.size();) {
    const JsonCharacter next = first_character(text.substr(end));
    if (utf8proc_grapheme_break_stateful(before.code, next.code, &state)) break;
    end += next.length;
    before = next;
  }
  return text.substr(0, end);
}

}  // namespace

CharacterMap::Found CharacterMap::find(std::string_view text, bool stop_at_first) const {
  if (table_.empty()) return {};
  // Layout and bits: sentencepiece_charsmap.cc, which has checked that every walk stays within the table.
  const auto unit = [this](std::size_t i) {
    std::uint32_t value = 0;
    std::memcpy(&value, table_.data() + sizeof value * (i + 1), sizeof value);
    return value;
  };
  const auto offset = [](std::uint32_t bits) { return bits >> 10 << ((bits & 1U << 9) >> 6); };
  std::uint32_t array_bytes = 0;
  std::memcpy(&array_bytes, table_.data(), sizeof array_bytes);
  const std::string_view texts = std::string_view(table_).substr(sizeof array_bytes + array_bytes);
  Found found;
  std::size_t node = offset(unit(0));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    node ^= byte;
    const std::uint32_t entry = unit(node);
    if (entry >> 31 != 0 || (entry & 0xFF) != byte) break;
    node ^= offset(entry);
    if ((entry >> 8 & 1) == 0) continue;
    const std::string_view rest = texts.substr(unit(node) & ~(1U << 31));
    found = {i + 1, rest.substr(0, rest.find('\0'))};
    if (stop_at_first) break;
  }
  return found;
}

void CharacterMap::normalize(std::string& text, std::size_t limit) const {
  if (table_.empty()) return;
  constexpr std::size_t kLongestCluster = 5;
  std::string out;
  for (std::string_view rest = text; !rest.empty() && out.size() <= limit;) {
    const std::string_view cluster = first_cluster(rest);
    rest.remove_prefix(cluster.size());
    if (cluster.size() <= kLongestCluster && replace(cluster, out)) continue;
    for_each_character(cluster, [&](std::int32_t, std::string_view character) {
      if (!replace(character, out)) out += character;
    });
  }
  text.swap(out);
}

bool CharacterMap::replace(std::string_view part, std::string& out) const {
  const Found found = shortest(part);
  out += found.replacement;
  return found.length > 0;
}

std::optional<CharacterMap> CharacterMap::create(std::string table) {
  if (!is_valid_charsmap(table)) return std::nullopt;
  return CharacterMap(std::move(table));
}

std::optional<CharacterMap> CharacterMap::from_base64(std::string_view text) {
  auto table = decode_base64(text);
  return table ? create(*std::move(table)) : std::nullopt;
}

}  // namespace partita::internal
