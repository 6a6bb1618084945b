#include "tokenizer/pre/digit_groups.h"

#include <cstddef>

#include "tokenizer/pre/unicode.h"

namespace partita::internal {
namespace {

/// A stretch of characters that are all of a set, or all not.
struct Run {
  std::size_t bytes = 0;
  std::size_t characters = 0;
};

Run run_of(std::string_view text, ClassSet set, bool inside) {
  Run run;
  while (run.bytes < text.size()) {
    const Character next = character_at(text.data() + run.bytes);
    if (((class_of(next.code) & set) != 0) != inside) break;
    run.bytes += next.length;
    ++run.characters;
  }
  return run;
}

std::size_t bytes_of(std::string_view text, std::size_t characters) {
  std::size_t bytes = 0;
  for (; characters > 0; --characters) bytes += character_at(text.data() + bytes).length;
  return bytes;
}

/// \w of Oniguruma. Superscripts, as other numbers that are no digits, are not in it, except those of
/// Latin-1.
bool is_word(char32_t code) {
  const auto within = [code](char32_t first, char32_t last) { return code >= first && code <= last; };
  const ClassSet set = class_of(code);
  if ((set & (classes::kLetter | classes::kMark | classes::kDecimal)) != 0) return true;
  const bool connects = code == '_' || within(0x203F, 0x2040) || code == 0x2054 || within(0xFE33, 0xFE34) ||
                        within(0xFE4D, 0xFE4F) || code == 0xFF3F;
  const bool is_circled = within(0x24B6, 0x24E9) || within(0x1F130, 0x1F149) || within(0x1F150, 0x1F169) ||
                          within(0x1F170, 0x1F189);
  const bool is_roman = within(0x16EE, 0x16F0) || within(0x2160, 0x2188) || code == 0x3007 ||
                        within(0x3021, 0x3029) || within(0x3038, 0x303A) || within(0xA6E6, 0xA6EF) ||
                        within(0x10140, 0x10174) || code == 0x10341 || code == 0x1034A ||
                        within(0x103D1, 0x103D5) || within(0x12400, 0x1246E);  // Nl
  const bool is_latin1 = within(0xB2, 0xB3) || code == 0xB9 || within(0xBC, 0xBE);
  return connects || is_circled || is_roman || is_latin1;
}

void add(std::string_view word, std::vector<std::string_view>& words) {
  if (!word.empty()) words.push_back(word);
}

/// The groups of a run, first the `left_over` digits.
void add_groups(std::string_view digits, std::size_t left_over, std::vector<std::string_view>& words) {
  const std::size_t first = bytes_of(digits, left_over);
  add(digits.substr(0, first), words);
  for (digits.remove_prefix(first); !digits.empty();) {
    const std::size_t group = bytes_of(digits, 3);
    words.push_back(digits.substr(0, group));
    digits.remove_prefix(group);
  }
}

}  // namespace

void split_byte_numbers(std::string_view text, std::vector<std::string_view>& words) {
  const auto is_digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  const auto is_number = [&](std::size_t i) {
    return is_digit(i) ||
           std::string_view("\xB2\xB3\xB9\xBC\xBD\xBE").find(text[i]) != std::string_view::npos;
  };
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool ends = i > start && is_number(i) != is_number(i - 1);
    const bool has_three = i + 2 < text.size() && is_digit(i) && is_digit(i + 1) && is_digit(i + 2);
    if (ends || has_three) {
      add(text.substr(start, i - start), words);
      start = i;
    }
    if (has_three) {
      words.push_back(text.substr(i, 3));
      start = i + 3;
      i += 2;
    }
  }
  add(text.substr(start), words);
}

void split_grouped_numbers(std::string_view text, std::vector<std::string_view>& words) {
  while (!text.empty()) {
    const Run before = run_of(text, classes::kNumber, false);
    add(text.substr(0, before.bytes), words);
    text.remove_prefix(before.bytes);
    const Run digits = run_of(text, classes::kNumber, true);
    add_groups(text.substr(0, digits.bytes), digits.characters % 3, words);
    text.remove_prefix(digits.bytes);
  }
}

void split_grouped_decimals(std::string_view text, std::vector<std::string_view>& words) {
  std::size_t held = 0;  // bytes at the front that no group took yet
  while (held < text.size()) {
    held += run_of(text.substr(held), classes::kDecimal, false).bytes;
    const std::string_view rest = text.substr(held);
    const Run digits = run_of(rest, classes::kDecimal, true);
    const bool ends_word =
        digits.bytes == rest.size() || !is_word(character_at(rest.data() + digits.bytes).code);
    if (!ends_word) {
      held += digits.bytes;
      continue;
    }
    add(text.substr(0, held), words);
    add_groups(rest.substr(0, digits.bytes), digits.characters % 3, words);
    text = rest.substr(digits.bytes);
    held = 0;
  }
  add(text, words);
}

void split_before_groups(std::string_view text, std::vector<std::string_view>& words) {
  std::size_t held = 0;
  while (held < text.size()) {
    held += run_of(text.substr(held), classes::kDecimal, false).bytes;
    const std::string_view rest = text.substr(held);
    const Run digits = run_of(rest, classes::kDecimal, true);
    const std::size_t left_over = bytes_of(rest, digits.characters % 3);
    if (digits.characters < 3) {
      held += digits.bytes;
      continue;
    }
    add(text.substr(0, held + left_over), words);
    const std::string_view groups = rest.substr(left_over, digits.bytes - left_over);
    // What follows a run stays with its last group.
    const std::size_t last = groups.size() - bytes_of(groups, 3 * (digits.characters / 3 - 1));
    add_groups(groups.substr(0, groups.size() - last), 0, words);
    text = rest.substr(digits.bytes - last);
    held = last;
  }
  add(text, words);
}

}  // namespace partita::internal
