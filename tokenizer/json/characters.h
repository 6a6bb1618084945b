// Characters of valid UTF-8 and the classes that components of tokenizer.json ask for. The classes are those
// of libutf8proc's version of Unicode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "partita/result.hpp"

namespace partita::internal {

struct JsonCharacter {
  std::int32_t code = 0;
  std::size_t length = 1;  // bytes
};

/// Precondition: `text` is valid UTF-8 and not empty.
JsonCharacter first_character(std::string_view text);
JsonCharacter last_character(std::string_view text);

void append_character(std::int32_t code, std::string& out);

/// Calls each(code, bytes) for every character of valid UTF-8.
template <class Each>
void for_each_character(std::string_view text, Each&& each) {
  while (!text.empty()) {
    const JsonCharacter character = first_character(text);
    each(character.code, text.substr(0, character.length));
    text.remove_prefix(character.length);
  }
}

bool is_ascii(std::string_view text);

bool is_white_space(std::int32_t code);      // the property White_Space
bool is_numeric(std::int32_t code);          // N*
bool is_punctuation(std::int32_t code);      // P*, and the symbols of ASCII
bool is_mark(std::int32_t code);             // M*
bool is_nonspacing_mark(std::int32_t code);  // Mn
bool is_control(std::int32_t code);          // C* but for tab, line feed, carriage return and unassigned ones
bool is_word_character(std::int32_t code);   // \w: letters, marks, digits, connectors
bool is_cjk_ideograph(std::int32_t code);    // what BERT puts spaces around

void append_lowercase(std::int32_t code, std::string& out);

enum class NormalForm : std::uint8_t { kNfc, kNfd, kNfkc, kNfkd };

/// Replaces valid UTF-8 by its normal form. Error: kOutOfMemory.
Result<void> to_normal_form(NormalForm form, std::string& text);

}  // namespace partita::internal
