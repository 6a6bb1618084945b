// The methods of str.
#include <algorithm>

#include "tokenizer/jinja/format.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/tests.h"
#include "tokenizer/jinja/text_edits.h"

namespace partita::internal::jinja {
namespace {

const Text& self_text(const Value& self) { return *self.text(); }

template <bool left, bool right>
Value strip(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.strip()", arguments, {"chars"});
  return strip_text(runtime, self_text(self), p.given(0) ? &p.text(0) : nullptr, left, right);
}

template <Text (*map)(const Text&)>
Value mapped(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Parameters(runtime, "the method", arguments, {});
  runtime.walk(self_text(self).footprint());
  return runtime.text(map(self_text(self)));
}

// Letters after a letter become lower case, other letters title case.
Text title(const Text& text) {
  bool inside = false;
  return map_characters(text, [&inside](char32_t code) {
    const bool cased = upper_of(code) != lower_of(code);
    const char32_t to = inside ? lower_of(code) : title_of(code);
    inside = cased;
    return to;
  });
}

Text swap_case(const Text& text) {
  return map_characters(
      text, [](char32_t code) { return upper_of(code) != code ? upper_of(code) : lower_of(code); });
}

template <bool (*predicate)(char32_t)>
Value every(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Parameters(runtime, "the method", arguments, {});
  const std::string& bytes = self_text(self).bytes();
  runtime.walk(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Character c = character_at(bytes, at);
    if (!predicate(c.code)) return Value(false);
    at += c.length;
  }
  return Value(!bytes.empty());
}

bool is_ascii(char32_t code) { return code < 0x80; }

// Unlike other predicates these two hold for the empty text.
template <bool (*predicate)(char32_t)>
Value every_or_none(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (self_text(self).empty()) return Value(true);
  return every<predicate>(runtime, self, arguments);
}

Value expand_tabs(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.expandtabs()", arguments, {"tabsize"});
  const std::int64_t size = p.integer(0, 8);
  runtime.check_text_size(static_cast<std::size_t>(std::max<std::int64_t>(size, 0)));
  const Text& text = self_text(self);
  runtime.walk(text.footprint());
  Text out;
  std::int64_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.bytes(), at);
    if (c.code == U'\t') {
      const std::int64_t blanks = size > 0 ? size - column % size : 0;
      runtime.check_text_size(out.size() + static_cast<std::size_t>(blanks));
      runtime.touch(static_cast<std::size_t>(blanks));
      out.append(std::string(static_cast<std::size_t>(blanks), ' '), false);
      column += blanks;
    } else {
      out.append(text, at, at + c.length);
      column = c.code == U'\n' || c.code == U'\r' ? 0 : column + 1;
    }
    at += c.length;
  }
  return runtime.text(std::move(out.set_safe(text.safe())));
}

bool is_alphanumeric(char32_t code) { return is_alpha(code) || is_digit(code); }

template <const char* test>
Value cased(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return Value(run_test(find_test(test), runtime, self, arguments));
}
constexpr char kLower[] = "lower";
constexpr char kUpper[] = "upper";

// The text itself, or its part between the optional arguments `start` and `end`.
Value between(Runtime& runtime, const Value& self, const Parameters& p, std::size_t start) {
  if (!p.has(start) && !p.has(start + 1)) return self;
  return slice(runtime, self, p.has(start) ? p[start] : Value(None{}),
               p.has(start + 1) ? p[start + 1] : Value(None{}), Value(None{}));
}

template <bool at_end>
Value affixed(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, at_end ? "str.endswith()" : "str.startswith()", arguments,
                     {"affix", "start", "end"}, 1);
  const Value part = between(runtime, self, p, 1);
  const std::string& bytes = part.text()->bytes();
  const auto fits = [&](const Value& affix) {
    if (affix.text() == nullptr) {
      runtime.type_error("str.startswith() and str.endswith() need a str or a tuple of str, not " +
                         std::string(type_name(affix)));
    }
    const std::string& wanted = affix.text()->bytes();
    runtime.step();
    runtime.touch(std::min(wanted.size(), bytes.size()));
    return at_end ? bytes.ends_with(wanted) : bytes.starts_with(wanted);
  };
  const Sequence* tuple = p[0].sequence();
  if (tuple == nullptr || tuple->kind != SequenceKind::kTuple) return Value(fits(p[0]));
  return Value(std::any_of(tuple->items.begin(), tuple->items.end(), fits));
}

Value replace(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.replace()", arguments, {"old", "new", "count"}, 2);
  if (self_text(self).safe()) runtime.unsupported("str.replace() of a safe text");
  return replace_text(runtime, self_text(self), p.text(0), p.text(1), p.integer(2, -1));
}

template <bool prefix>
Value remove_affix(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.removeprefix()", arguments, {"affix"}, 1);
  const Text& text = self_text(self);
  const std::string& affix = p.text(0).bytes();
  if (prefix && text.bytes().starts_with(affix)) return runtime.text(text.slice(affix.size(), text.size()));
  if (!prefix && text.bytes().ends_with(affix))
    return runtime.text(text.slice(0, text.size() - affix.size()));
  return self;
}

// The last occurrence: the first one in the reversed strings.
std::size_t find_last(const std::string& haystack, const std::string& needle) {
  const std::string h(haystack.rbegin(), haystack.rend());
  const std::string n(needle.rbegin(), needle.rend());
  const std::size_t hit = find_bytes(h, n, 0);
  return hit == std::string::npos ? hit : haystack.size() - hit - needle.size();
}

// str.find() and similar methods. Positions are in characters of the whole string.
template <bool from_end, bool must_exist>
Value find(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.find()", arguments, {"sub", "start", "end"}, 1);
  if (p.has(2)) runtime.unsupported("the end argument of str.find()");
  const Value part = between(runtime, self, p, 1);
  const std::string& bytes = part.text()->bytes();
  runtime.walk(self_text(self).size());
  const bool past_end = p.has(1) && p.integer(1, 0) > *length_of(self);  // not even "" matches there
  const std::string& sub = p.text(0).bytes();
  const std::size_t hit = past_end   ? std::string::npos
                          : from_end ? find_last(bytes, sub)
                                     : find_bytes(bytes, sub, 0);
  if (hit == std::string::npos) {
    if (must_exist) runtime.type_error("substring not found");
    return Value(std::int64_t{-1});
  }
  const std::size_t before = self_text(self).size() - bytes.size() + hit;
  const std::string_view whole = self_text(self).bytes();
  return Value(static_cast<std::int64_t>(character_count(whole.substr(0, before))));
}

Value count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.count()", arguments, {"sub", "start", "end"}, 1);
  const Value part = between(runtime, self, p, 1);
  const std::string& bytes = part.text()->bytes();
  const std::string& sub = p.text(0).bytes();
  sub.empty() ? runtime.walk(bytes.size()) : runtime.search(bytes.size());
  if (sub.empty()) return Value(*length_of(part) + 1);
  std::int64_t hits = 0;
  for (std::size_t at = 0; (at = find_bytes(bytes, sub, at)) != std::string::npos; at += sub.size()) {
    runtime.step();
    runtime.search(sub.size());
    ++hits;
  }
  return Value(hits);
}

// The parts between separators; at most `limit` splits unless negative.
std::vector<Range> cut_at(Runtime& runtime, std::string_view bytes, std::string_view separator,
                          std::int64_t limit) {
  std::vector<Range> pieces;
  std::size_t begin = 0;
  for (; limit != 0; --limit) {
    runtime.step();
    runtime.search(separator.size());
    const std::size_t hit = find_bytes(bytes, separator, begin);
    if (hit == std::string_view::npos) break;
    pieces.push_back({begin, hit});
    begin = hit + separator.size();
  }
  pieces.push_back({begin, bytes.size()});
  return pieces;
}

std::vector<Range> cut_at_from_end(Runtime& runtime, const std::string& bytes, const std::string& separator,
                                   std::int64_t limit) {
  const std::string reversed(bytes.rbegin(), bytes.rend());
  std::vector<Range> pieces =
      cut_at(runtime, reversed, std::string(separator.rbegin(), separator.rend()), limit);
  for (Range& piece : pieces) piece = {bytes.size() - piece.end, bytes.size() - piece.begin};
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<Range> words_of(std::string_view bytes) {
  std::vector<Range> words;
  bool inside = false;
  for (std::size_t at = 0; at < bytes.size();) {
    const Character c = character_at(bytes, at);
    const bool space = is_space(c.code);
    if (!space && !inside) words.push_back({at, at});
    inside = !space;
    at += c.length;
    if (inside) words.back().end = at;
  }
  return words;
}

// Python keeps the white space at the far end of the unsplit rest.
std::vector<Range> cut_at_spaces(std::string_view bytes, std::int64_t limit, bool from_end) {
  std::vector<Range> words = words_of(bytes);
  const auto cuts = static_cast<std::size_t>(limit);
  if (limit < 0 || words.size() <= cuts + 1) {
    // With as many splits as words there is no rest; with one more word, that word is the rest.
    if (limit < 0 || words.size() <= cuts || words.empty()) return words;
    if (from_end) words.front().begin = 0;
    if (!from_end) words.back().end = bytes.size();
    return words;
  }
  const auto extra = static_cast<std::ptrdiff_t>(words.size() - cuts - 1);
  if (from_end) {
    words.erase(words.begin(), words.begin() + extra);
    words.front().begin = 0;
  } else {
    words.erase(words.end() - extra, words.end());
    words.back().end = bytes.size();
  }
  return words;
}

Value texts_at(Runtime& runtime, const Text& text, const std::vector<Range>& ranges) {
  std::vector<Value> items;
  for (const Range range : ranges) items.push_back(runtime.text(text.slice(range.begin, range.end)));
  return runtime.list(std::move(items));
}

template <bool from_end>
Value split(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.split()", arguments, {"sep", "maxsplit"});
  const Text& text = self_text(self);
  const std::int64_t limit = p.integer(1, -1);
  from_end || !p.given(0) ? runtime.walk(text.size()) : runtime.search(text.size());
  if (!p.given(0)) return texts_at(runtime, text, cut_at_spaces(text.bytes(), limit, from_end));
  const std::string& separator = p.text(0).bytes();
  if (separator.empty()) runtime.type_error("str.split(): the separator is empty");
  return texts_at(runtime, text,
                  from_end ? cut_at_from_end(runtime, text.bytes(), separator, limit)
                           : cut_at(runtime, text.bytes(), separator, limit));
}

template <bool from_end>
Value partition(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.partition()", arguments, {"sep"}, 1);
  const Text& text = self_text(self);
  const std::string& separator = p.text(0).bytes();
  if (separator.empty()) runtime.type_error("str.partition(): the separator is empty");
  from_end ? runtime.walk(text.size()) : runtime.search(text.size());
  const std::size_t hit =
      from_end ? find_last(text.bytes(), separator) : find_bytes(text.bytes(), separator, 0);
  const Value none = runtime.text("", false);
  if (hit == std::string::npos) {
    if (from_end) return runtime.sequence(SequenceKind::kTuple, {none, none, self});
    return runtime.sequence(SequenceKind::kTuple, {self, none, none});
  }
  const std::size_t after = hit + separator.size();
  return runtime.sequence(SequenceKind::kTuple, {runtime.text(text.slice(0, hit)), p[0],
                                                 runtime.text(text.slice(after, text.size()))});
}

Value split_lines(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.splitlines()", arguments, {"keepends"});
  const Text& text = self_text(self);
  runtime.walk(text.size());
  return texts_at(runtime, text, line_ranges(text.bytes(), p.flag(0, false)));
}

Value join(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.join()", arguments, {"iterable"}, 1);
  if (self_text(self).safe()) runtime.unsupported("str.join() of a safe text");
  const SequencePtr items = runtime.elements(p[0]);
  std::vector<Text> parts;
  std::size_t held = 0;  // bytes of the copies in `parts`
  for (const Value& item : items->items) {
    if (item.text() == nullptr)
      runtime.type_error("str.join() needs str items, not " + std::string(type_name(item)));
    runtime.reserve(item.text()->footprint());
    held += item.text()->footprint();
    parts.push_back(*item.text());
  }
  Value joined = join_texts(runtime, self_text(self), parts);
  runtime.release(held);
  return joined;
}

// `left` and `right` copies of the fill character around the text.
Value padded(Runtime& runtime, const Text& text, const Text& fill, std::size_t left, std::size_t right) {
  runtime.check_text_size(text.size() + (left + right) * fill.size());
  runtime.walk((left + right) * fill.size());
  Text out;
  for (std::size_t i = 0; i < left; ++i) out.append(fill);
  out.append(text);
  for (std::size_t i = 0; i < right; ++i) out.append(fill);
  out.set_safe(text.safe());
  return runtime.text(std::move(out));
}

enum class Side { kLeft, kRight, kCenter };

template <Side side>
Value justify(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.center()", arguments, {"width", "fillchar"}, 1);
  const Text space(" ", false);
  const Text& fill = p.has(1) ? p.text(1) : space;
  if (character_count(fill.bytes()) != 1)
    runtime.type_error("the fill of a padding method must be one character");
  const std::int64_t width = p.integer(0, 0);
  runtime.walk(self_text(self).size() + fill.size());
  const std::int64_t length = *length_of(self);
  if (width <= length) return self;
  runtime.check_text_size(static_cast<std::size_t>(width));
  const auto missing = static_cast<std::size_t>(width - length);
  // Python puts the odd fill character of a centred string on the left only if the width is odd.
  const std::size_t left = side == Side::kLeft ? 0
                           : side == Side::kRight
                               ? missing
                               : missing / 2 + (missing & static_cast<std::size_t>(width) & 1);
  return padded(runtime, self_text(self), fill, left, missing - left);
}

Value zero_fill(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "str.zfill()", arguments, {"width"}, 1);
  runtime.walk(self_text(self).size());
  const std::int64_t missing = p.integer(0, 0) - *length_of(self);
  if (missing <= 0) return self;
  const Text& text = self_text(self);
  const std::size_t sign = !text.empty() && (text.bytes()[0] == '-' || text.bytes()[0] == '+') ? 1 : 0;
  runtime.check_text_size(static_cast<std::size_t>(missing));
  Text out = text.slice(0, sign);
  out.append(std::string(static_cast<std::size_t>(missing), '0'), false);
  out.append(text, sign, text.size());
  return runtime.text(std::move(out));
}

Value format(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return brace_format(runtime, self_text(self), arguments);
}

}  // namespace

const std::vector<NamedMethod>& text_methods() {
  static const std::vector<NamedMethod> methods = {
      {"strip", strip<true, true>},
      {"lstrip", strip<true, false>},
      {"rstrip", strip<false, true>},
      {"upper", mapped<to_upper>},
      {"lower", mapped<to_lower>},
      {"capitalize", mapped<capitalize>},
      {"title", mapped<title>},
      {"swapcase", mapped<swap_case>},
      {"startswith", affixed<false>},
      {"endswith", affixed<true>},
      {"replace", replace},
      {"removeprefix", remove_affix<true>},
      {"removesuffix", remove_affix<false>},
      {"find", find<false, false>},
      {"rfind", find<true, false>},
      {"index", find<false, true>},
      {"rindex", find<true, true>},
      {"count", count},
      {"split", split<false>},
      {"rsplit", split<true>},
      {"splitlines", split_lines},
      {"partition", partition<false>},
      {"rpartition", partition<true>},
      {"join", join},
      {"ljust", justify<Side::kLeft>},
      {"rjust", justify<Side::kRight>},
      {"center", justify<Side::kCenter>},
      {"zfill", zero_fill},
      {"format", format},
      {"expandtabs", expand_tabs},
      {"isascii", every_or_none<is_ascii>},
      {"isprintable", every_or_none<is_printable>},
      {"isspace", every<is_space>},
      {"isalpha", every<is_alpha>},
      {"isdigit", every<is_digit>},
      {"isdecimal", every<is_digit>},
      {"isalnum", every<is_alphanumeric>},
      {"islower", cased<kLower>},
      {"isupper", cased<kUpper>},
  };
  return methods;
}

}  // namespace partita::internal::jinja
