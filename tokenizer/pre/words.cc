#include "tokenizer/pre/words.h"

#include <cstddef>
#include <cstring>

#include "tokenizer/pre/unicode.h"

namespace partita::internal {
namespace {

using namespace classes;

constexpr ClassSet kEverything = ~ClassSet{0};

/// The character at a place: its classes and its length. At the end of the text it is of no class.
struct Seen {
  ClassSet set = 0;
  std::uint32_t length = 0;

  bool is(ClassSet other) const { return (set & other) != 0; }
};

Seen see(const char* at, const char* end) {
  if (at == end) return {};
  const Character character = character_at(at);
  return {class_of(character.code), character.length};
}

/// Where the run of characters of `set` ends that begins at `at`.
const char* run_end(const char* at, const char* end, ClassSet set) {
  for (Seen next = see(at, end); next.is(set); next = see(at, end)) at += next.length;
  return at;
}

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter; }

enum class Case { kLower, kAny };

/// 's|'t|'re|'ve|'m|'ll|'d: the length, or 0. Where case does not matter, U+017F is an s.
template <Case kCase>
std::size_t contraction(const char* at, const char* end) {
  const auto left = static_cast<std::size_t>(end - at);
  if (left < 2 || at[0] != '\'') return 0;
  const auto letter = [at](std::size_t i) { return kCase == Case::kAny ? lower(at[i]) : at[i]; };
  const char first = letter(1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (left < 3) return 0;
  const char second = letter(2);
  const bool is_long = ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l');
  const bool is_long_s = kCase == Case::kAny && std::memcmp(at + 1, "\xC5\xBF", 2) == 0;
  return is_long || is_long_s ? 3 : 0;
}

/// \s+(?!\S)|\s+: a run of spaces without the last, which belongs to the word behind it; the whole run at the
/// end of the text. `ends`: characters that end the text for the expression.
const char* spaces_end(const char* at, const char* end, ClassSet ends = 0) {
  const char* last = at;
  const char* behind = at;
  Seen next = see(at, end);
  for (; next.is(kSpace); next = see(behind, end)) {
    last = behind;
    behind += next.length;
  }
  return last == at || behind == end || next.is(ends) ? behind : last;
}

/// \s*[\r\n]+: the end of the last newline of a run of spaces; `at` if there is none.
const char* newlines_end(const char* at, const char* end) {
  const char* found = at;
  for (Seen next = see(at, end); next.is(kSpace); next = see(at, end)) {
    at += next.length;
    if (next.is(kNewline)) found = at;
  }
  return found;
}

/// A run of numbers of at most `count`.
const char* numbers_end(const char* at, const char* end, int count) {
  for (Seen next = see(at, end); count > 0 && next.is(kNumber); --count) {
    at += next.length;
    next = see(at, end);
  }
  return at;
}

// --- GPT-2 -----------------------------------------------------------------------------------------

/// ` ?X+` of one of the three kinds of X, at the first character that is no space.
const char* gpt2_run(const char* at, const char* end, Seen first, ClassSet numbers) {
  const ClassSet kind = first.is(kLetter)   ? kLetter
                        : first.is(numbers) ? numbers
                                            : kEverything & ~(kSpace | kLetter | numbers);
  return run_end(at + first.length, end, kind);
}

/// kDigitsApart: each number is a word, and ends the text before it.
template <bool kDigitsApart>
const char* gpt2_like(const char* at, const char* end) {
  constexpr ClassSet kNumbers = kDigitsApart ? kRustNumber : kNumber;
  if (const std::size_t length = contraction<Case::kLower>(at, end)) return at + length;
  const Seen first = see(at, end);
  if (kDigitsApart && first.is(kNumbers)) return at + first.length;
  if (!first.is(kSpace)) return gpt2_run(at, end, first, kNumbers);
  if (first.is(kBlank)) {
    const Seen second = see(at + 1, end);
    const bool joins = second.length > 0 && !second.is(kDigitsApart ? kSpace | kNumbers : kSpace);
    if (joins) return gpt2_run(at + 1, end, second, kNumbers);
  }
  return spaces_end(at, end, kDigitsApart ? kNumbers : 0);
}

// --- Llama 3 and others ------------------------------------------------------------------------------

/// What the expressions that descend from cl100k differ in.
struct Rules {
  bool contractions = true;
  ClassSet letters = kLetter;
  int digits = 1;              // of a number in one word
  bool newline_suffix = true;  // [\r\n]* after other characters
};

/// [^\r\n\p{L}\p{N}]?\p{L}+: the end of such a word, or `at`. `letters` may have marks.
const char* letters_end(const char* at, const char* end, Seen first, ClassSet letters) {
  if (first.is(letters)) return run_end(at + first.length, end, letters);
  if (first.is(kNewline | kNumber | kLetter)) return at;
  const Seen second = see(at + first.length, end);
  return second.is(letters) ? run_end(at + first.length + second.length, end, letters) : at;
}

/// ` ?[others]+` and the characters of `suffix` and, if asked for, slashes; `at` if there is none.
const char* others_end(const char* at, const char* end, Seen first, ClassSet others, ClassSet suffix,
                       bool slashes) {
  const char* const start = first.is(kBlank) ? at + 1 : at;
  const char* behind = run_end(start, end, others);
  if (behind == start) return at;
  for (Seen next = see(behind, end); next.is(suffix) || (slashes && behind < end && *behind == '/');
       next = see(behind, end)) {
    behind += next.length;
  }
  return behind;
}

const char* space_words_end(const char* at, const char* end) {
  const char* const line = newlines_end(at, end);
  return line > at ? line : spaces_end(at, end);
}

template <Rules kRules>
const char* cl100k_like(const char* at, const char* end) {
  constexpr ClassSet kOthers = kEverything & ~(kSpace | kNumber | kRules.letters);
  if (kRules.contractions) {
    if (const std::size_t length = contraction<Case::kAny>(at, end)) return at + length;
  }
  const Seen first = see(at, end);
  if (const char* const word = letters_end(at, end, first, kRules.letters); word > at) return word;
  if (first.is(kNumber)) return numbers_end(at, end, kRules.digits);
  const ClassSet suffix = kRules.newline_suffix ? kNewline : 0;
  if (const char* const other = others_end(at, end, first, kOthers, suffix, false); other > at) return other;
  return space_words_end(at, end);
}

// --- words by case ---------------------------------------------------------------------------------------

struct CaseRules {
  bool contractions = true;  // after a word
  bool slashes = true;       // [\r\n/]* after other characters
  int digits = 3;
  ClassSet excluded = 0;  // no letters of words
};

/// U*L+|U+L*: U are capitals, L small letters, and both are letters without case and marks. The first form
/// has the end of L after U, or else the last character of U that is in L too.
template <CaseRules kRules>
struct CasedWord {
  static constexpr ClassSet kBoth = (kCaseless | kMark) & ~kRules.excluded;
  static constexpr ClassSet kCapitals = kUpper | kBoth;
  static constexpr ClassSet kSmall = kLower | kBoth;

  const char* first_form = nullptr;  // null: it does not match
  const char* second_form = nullptr;

  CasedWord(const char* at, const char* end) {
    const char* behind = at;
    const char* last_both = nullptr;
    for (Seen next = see(behind, end); next.is(kCapitals); next = see(behind, end)) {
      behind += next.length;
      if (next.is(kBoth)) last_both = behind;
    }
    const char* const small = run_end(behind, end, kSmall);
    first_form = small > behind ? small : last_both;
    if (behind > at) second_form = small;
  }
};

template <CaseRules kRules>
const char* cased_word_end(const char* at, const char* end, Seen first) {
  using Word = CasedWord<kRules>;
  const char* found = nullptr;
  const bool may_lead = !first.is(kNewline | kLetter | kNumber);
  // The expression tries the first form behind a leading character, then without one; then the second form.
  const Seen second = may_lead ? see(at + first.length, end) : Seen{};
  const bool leads = second.is(Word::kCapitals | Word::kSmall);
  if (leads) found = Word(at + first.length, end).first_form;
  if (found == nullptr && first.is(Word::kCapitals | Word::kSmall)) found = Word(at, end).first_form;
  if (found == nullptr && leads) found = Word(at + first.length, end).second_form;
  if (found == nullptr && first.is(Word::kCapitals)) found = Word(at, end).second_form;
  if (found == nullptr) return at;
  return kRules.contractions ? found + contraction<Case::kAny>(found, end) : found;
}

template <CaseRules kRules>
const char* o200k_like(const char* at, const char* end) {
  constexpr ClassSet kOthers = kEverything & ~(kSpace | kNumber | kLetter);
  const Seen first = see(at, end);
  if (first.is(kRules.excluded)) return run_end(at, end, kRules.excluded);
  if (const char* const word = cased_word_end<kRules>(at, end, first); word > at) return word;
  if (first.is(kNumber)) return numbers_end(at, end, kRules.digits);
  if (const char* const other = others_end(at, end, first, kOthers, kNewline, kRules.slashes); other > at)
    return other;
  return space_words_end(at, end);
}

// --- DeepSeek V3 ------------------------------------------------------------------------------------

/// [一-龥぀-ゟ゠-ヿ]
bool is_cjk(const char* at, const char* end) {
  if (at == end || static_cast<unsigned char>(*at) < 0xE3) return false;
  const char32_t code = character_at(at).code;
  return (code >= 0x4E00 && code <= 0x9FA5) || (code >= 0x3040 && code <= 0x30FF);
}

bool is_ascii_letter(char byte) { return lower(byte) >= 'a' && lower(byte) <= 'z'; }

bool is_ascii_punctuation(char byte) {
  return byte > ' ' && byte < 0x7F && !is_ascii_letter(byte) && !(byte >= '0' && byte <= '9');
}

/// What see() sees, with no class for characters that are words of their own and end the text before them.
Seen see_text(const char* at, const char* end) {
  const Seen next = see(at, end);
  return next.is(kNumber) || is_cjk(at, end) ? Seen{} : next;
}

const char* text_run_end(const char* at, const char* end, ClassSet set) {
  for (Seen next = see_text(at, end); next.is(set); next = see_text(at, end)) at += next.length;
  return at;
}

/// \s*[\r\n]+|\s+(?!\S)|\s+ of a text that ends before numbers and ideographs.
const char* text_spaces_end(const char* at, const char* end) {
  const char* const line = newlines_end(at, end);
  if (line > at) return line;
  const char* const all = run_end(at, end, kSpace);
  return see_text(all, end).length == 0 ? all : spaces_end(at, end);
}

/// The end of a match of the third expression, or `at`.
const char* deepseek3_match(const char* at, const char* end, Seen first) {
  constexpr ClassSet kLetters = kLetter | kMark, kSigns = kPunctuation | kSymbol;
  if (is_ascii_punctuation(*at) && at + 1 < end && is_ascii_letter(at[1])) {
    const char* word = at + 1;
    while (word < end && is_ascii_letter(*word)) ++word;
    return word;
  }
  if (first.is(kLetters)) return text_run_end(at, end, kLetters);
  if (!first.is(kNewline | kSigns)) {
    const char* const word = text_run_end(at + first.length, end, kLetters);
    if (word > at + first.length) return word;
  }
  const char* const signs = first.is(kBlank) ? at + 1 : at;
  if (const char* const behind = text_run_end(signs, end, kSigns); behind > signs) {
    return text_run_end(behind, end, kNewline);
  }
  return first.is(kSpace) ? text_spaces_end(at, end) : at;
}

}  // namespace

const char* gpt2_word(const char* at, const char* end) { return gpt2_like<false>(at, end); }

const char* gpt2_digit_word(const char* at, const char* end) { return gpt2_like<true>(at, end); }

const char* llama3_word(const char* at, const char* end) { return cl100k_like<Rules{.digits = 3}>(at, end); }

const char* qwen2_word(const char* at, const char* end) { return cl100k_like<Rules{}>(at, end); }

const char* qwen35_word(const char* at, const char* end) {
  return cl100k_like<Rules{.letters = kLetter | kMark}>(at, end);
}

const char* seed_coder_word(const char* at, const char* end) {
  return cl100k_like<Rules{.newline_suffix = false}>(at, end);
}

const char* ufakzeka_word(const char* at, const char* end) {
  return cl100k_like<Rules{.contractions = false}>(at, end);
}

const char* o200k_word(const char* at, const char* end) { return o200k_like<CaseRules{}>(at, end); }

const char* tekken_word(const char* at, const char* end) {
  return o200k_like<CaseRules{.contractions = false, .digits = 1}>(at, end);
}

const char* kimi_word(const char* at, const char* end) {
  return o200k_like<CaseRules{.slashes = false, .excluded = kHan}>(at, end);
}

const char* deepseek3_word(const char* at, const char* end) {
  const Seen first = see(at, end);
  if (first.is(kNumber)) return numbers_end(at, end, 3);
  if (is_cjk(at, end)) {
    while (is_cjk(at, end)) at += 3;
    return at;
  }
  // Characters without a match are one word up to the next match.
  const char* behind = deepseek3_match(at, end, first);
  if (behind > at) return behind;
  for (Seen next = first; next.length > 0 && deepseek3_match(at, end, next) == at; next = see_text(at, end)) {
    at += next.length;
  }
  return at;
}

}  // namespace partita::internal
