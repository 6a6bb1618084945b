#include "tokenizer/utf8.h"

#include <algorithm>
#include <cstring>

namespace partita::internal {
namespace {

using Kind = Utf8Unit::Kind;

/// A lead byte: the length of its character, and the range of valid second bytes (Unicode table 3-7).
struct Lead {
  std::uint8_t length = 0;  // 0: no character begins with this byte
  std::uint8_t second_low = 0x80;
  std::uint8_t second_high = 0xBF;
};

Lead lead(std::uint8_t byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {0};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

}  // namespace

Utf8Unit first_unit(std::string_view text) {
  const Lead start = lead(static_cast<std::uint8_t>(text[0]));
  if (start.length == 0) return {Kind::kInvalid, 1};
  for (std::uint8_t i = 1; i < start.length; ++i) {
    if (i == text.size()) return {Kind::kTruncated, i};
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const std::uint8_t low = i == 1 ? start.second_low : 0x80;
    const std::uint8_t high = i == 1 ? start.second_high : 0xBF;
    if (byte < low || byte > high) return {Kind::kInvalid, i};
  }
  return {Kind::kCharacter, start.length};
}

std::size_t valid_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t eight = 0;  // bytes at once, while they are ASCII
    while (text.size() - at >= sizeof eight) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & 0x8080808080808080u) != 0) break;
      at += sizeof eight;
    }
    if (at == text.size()) break;
    const Utf8Unit unit = first_unit(text.substr(at));
    if (unit.kind != Kind::kCharacter) break;
    at += unit.length;
  }
  return at;
}

std::size_t invalid_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Unit unit = first_unit(text.substr(at));
    if (unit.kind == Kind::kCharacter) break;
    at += unit.length;
  }
  return at;
}

}  // namespace partita::internal
