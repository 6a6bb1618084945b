#include "tokenizer/json/characters.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "weights/catch_all.h"

namespace partita::internal {
namespace {

struct Range {
  std::int32_t first, last;
};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, std::int32_t code) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](const Range& range) { return code >= range.first && code <= range.last; });
}

bool is_between(std::int32_t code, utf8proc_category_t first, utf8proc_category_t last) {
  const utf8proc_category_t category = utf8proc_category(code);
  return category >= first && category <= last;
}

bool is_ascii_symbol(std::int32_t code) {
  return (code > 0x20 && code < 0x30) || (code > 0x39 && code < 0x41) || (code > 0x5A && code < 0x61) ||
         (code > 0x7A && code < 0x7F);
}

struct Free {
  void operator()(utf8proc_uint8_t* bytes) const { std::free(bytes); }
};

utf8proc_option_t options_of(NormalForm form) {
  const bool composes = form == NormalForm::kNfc || form == NormalForm::kNfkc;
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | (composes ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                                        (compatible ? UTF8PROC_COMPAT : 0));
}

}  // namespace

JsonCharacter first_character(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::int32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const auto tail = [&](std::size_t i) { return byte(i) & 0x3F; };
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | tail(1), 2};
  if (lead < 0xF0) return {(lead & 0xF) << 12 | tail(1) << 6 | tail(2), 3};
  return {(lead & 7) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
}

JsonCharacter last_character(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && (static_cast<std::uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return first_character(text.substr(at));
}

void append_character(std::int32_t code, std::string& out) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const utf8proc_ssize_t length = utf8proc_encode_char(code, bytes.data());
  out.append(bytes.begin(), bytes.begin() + length);
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<std::uint8_t>(c) < 0x80; });
}

bool is_white_space(std::int32_t code) {
  if (code < 0x80) return code == ' ' || (code >= 0x09 && code <= 0x0D);
  return code == 0x85 || is_between(code, UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZP);
}

bool is_numeric(std::int32_t code) { return is_between(code, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO); }

bool is_punctuation(std::int32_t code) {
  return is_ascii_symbol(code) || is_between(code, UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO);
}

bool is_mark(std::int32_t code) { return is_between(code, UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME); }

bool is_nonspacing_mark(std::int32_t code) { return utf8proc_category(code) == UTF8PROC_CATEGORY_MN; }

bool is_control(std::int32_t code) {
  if (code == '\t' || code == '\n' || code == '\r') return false;
  return is_between(code, UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CO);
}

bool is_word_character(std::int32_t code) {
  constexpr std::array<Range, 5> kCircledLettersAndJoiners = {
      {{0x200C, 0x200D}, {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}}};
  return is_between(code, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_NL) ||
         utf8proc_category(code) == UTF8PROC_CATEGORY_PC || is_in(kCircledLettersAndJoiners, code);
}

bool is_cjk_ideograph(std::int32_t code) {
  constexpr std::array<Range, 8> kIdeographs = {{{0x4E00, 0x9FFF},
                                                 {0x3400, 0x4DBF},
                                                 {0x20000, 0x2A6DF},
                                                 {0x2A700, 0x2B73F},
                                                 {0x2B740, 0x2B81F},
                                                 {0x2B920, 0x2CEAF},
                                                 {0xF900, 0xFAFF},
                                                 {0x2F800, 0x2FA1F}}};
  return is_in(kIdeographs, code);
}

void append_lowercase(std::int32_t code, std::string& out) {
  constexpr std::int32_t kDottedI = 0x130, kDotAbove = 0x307;  // the only letter that becomes two
  if (code == kDottedI) {
    out += 'i';
    return append_character(kDotAbove, out);
  }
  append_character(utf8proc_tolower(code), out);
}

Result<void> to_normal_form(NormalForm form, std::string& text) {
  if (is_ascii(text)) return {};
  utf8proc_uint8_t* bytes = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &bytes, options_of(form));
  const std::unique_ptr<utf8proc_uint8_t, Free> owned(bytes);
  if (size < 0) return out_of_memory();  // the only error that valid UTF-8 can cause
  text.assign(bytes, bytes + size);
  return {};
}

}  // namespace partita::internal
