// Filters for addresses and HTML: urlencode, striptags, xmlattr; and filesizeformat.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/parse_number.h"
#include "tokenizer/jinja/print.h"
#include "tokenizer/jinja/text_edits.h"

namespace partita::internal::jinja {
namespace {

// Percent-encodes all but letters, digits and "_.-~/"; in a query also "/", and a space becomes "+".
Text quoted_for_url(Runtime& runtime, const Text& text, bool query) {
  runtime.walk(text.footprint());
  runtime.check_text_size(3 * text.size());
  Text out;
  std::string quoted;
  text.for_each_run([&](std::string_view bytes, bool from_message) {
    quoted.clear();
    for (const char c : bytes) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                         std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !query);
      if (plain) {
        quoted += c;
      } else if (c == ' ' && query) {
        quoted += '+';
      } else {
        const auto byte = static_cast<unsigned char>(c);
        quoted += '%';
        quoted += "0123456789ABCDEF"[byte >> 4];
        quoted += "0123456789ABCDEF"[byte & 15];
      }
    }
    out.append(quoted, from_message);
  });
  return out;
}

Text query_of(Runtime& runtime, const Value& key, const Value& value) {
  Text pair = quoted_for_url(runtime, to_text(runtime, key), true);
  pair.append("=", false);
  pair.append(quoted_for_url(runtime, to_text(runtime, value), true));
  return pair;
}

Value url_encoded(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "urlencode", arguments, {});
  const bool pairs = input.dict() != nullptr || input.sequence() != nullptr || input.is_undefined();
  if (!pairs) return runtime.text(quoted_for_url(runtime, to_text(runtime, input), false));
  std::vector<Text> parts;
  if (const Dict* dict = input.dict()) {
    for (const auto& [key, value] : dict->items()) parts.push_back(query_of(runtime, key, value));
  } else {
    const SequencePtr elements = runtime.elements(input);
    for (const Value& item : elements->items) {
      const SequencePtr pair = runtime.elements(item);
      if (pair->items.size() != 2) runtime.type_error("urlencode needs pairs of key and value");
      parts.push_back(query_of(runtime, pair->items[0], pair->items[1]));
    }
  }
  return join_texts(runtime, Text("&", false), parts);
}

// The text outside tags and comments. One that does not end stays.
Text without_tags(const Text& text) {
  const std::string& bytes = text.bytes();
  Text out;
  std::size_t at = 0;
  for (std::size_t open; (open = bytes.find('<', at)) != std::string::npos;) {
    const bool comment = bytes.compare(open, 4, "<!--") == 0;
    const std::size_t close = comment ? bytes.find("-->", open + 4) : bytes.find('>', open);
    if (close == std::string::npos) break;
    out.append(text, at, open);
    at = close + (comment ? 3 : 1);
  }
  out.append(text, at, bytes.size());
  return out;
}

Text with_single_spaces(const Text& text) {
  Text out;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.bytes(), at);
    const bool space = is_space(c.code);
    if (!space && !inside && !out.empty()) out.append(" ", false);
    if (!space) out.append(text, at, at + c.length);
    inside = !space;
    at += c.length;
  }
  return out;
}

struct Entity {
  std::string_view name;
  char32_t code;
};
// Of HTML's two thousand names those in common use.
constexpr Entity kEntities[] = {
    {"amp", U'&'},     {"lt", U'<'},       {"gt", U'>'},      {"quot", U'"'},    {"apos", U'\''},
    {"nbsp", 0xA0},    {"copy", 0xA9},     {"reg", 0xAE},     {"laquo", 0xAB},   {"raquo", 0xBB},
    {"middot", 0xB7},  {"hellip", 0x2026}, {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018},
    {"rsquo", 0x2019}, {"ldquo", 0x201C},  {"rdquo", 0x201D}, {"bull", 0x2022},  {"trade", 0x2122},
    {"euro", 0x20AC},  {"times", 0xD7},    {"deg", 0xB0},     {"auml", 0xE4},    {"ouml", 0xF6},
    {"uuml", 0xFC},    {"szlig", 0xDF},    {"eacute", 0xE9},  {"egrave", 0xE8},
};

/// The character that "&name;", "&#38;" or "&#x26;" stands for; 0 if none. name: without "&" and ";".
char32_t entity_code(std::string_view name) {
  if (!name.starts_with('#')) {
    const auto* const known = std::find_if(std::begin(kEntities), std::end(kEntities),
                                           [&](const Entity& entity) { return entity.name == name; });
    return known == std::end(kEntities) ? 0 : known->code;
  }
  const bool hex = name.size() > 2 && (name[1] == 'x' || name[1] == 'X');
  char32_t code = 0;
  for (const char c : name.substr(hex ? 2 : 1)) {
    const int digit = c >= '0' && c <= '9'                        ? c - '0'
                      : hex && (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                                  : -1;
    if (digit < 0 || code > 0x10FFFF) return 0;
    code = code * (hex ? 16 : 10) + static_cast<char32_t>(digit);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return surrogate || code > 0x10FFFF ? 0xFFFD : code;
}

Text unescaped(const Text& text) {
  constexpr std::size_t kMaxName = 12;
  const std::string& bytes = text.bytes();
  Text out;
  std::size_t at = 0;
  for (std::size_t open; (open = bytes.find('&', at)) != std::string::npos;) {
    const std::string_view rest = std::string_view(bytes).substr(open + 1, kMaxName);
    const std::size_t length = rest.find(';');
    const char32_t code = length == std::string_view::npos ? 0 : entity_code(rest.substr(0, length));
    if (code == 0) {
      out.append(text, at, open + 1);
      at = open + 1;
      continue;
    }
    out.append(text, at, open);
    std::string character;
    append_utf8(character, code);
    out.append(character, text.slice(open, open + length + 2).from_message());
    at = open + length + 2;
  }
  out.append(text, at, bytes.size());
  return out;
}

Value tags_stripped(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "striptags", arguments, {});
  const Text text = to_text(runtime, input);
  runtime.walk(2 * text.footprint());
  return runtime.text(unescaped(with_single_spaces(without_tags(text))));
}

Text escaped_unless_safe(Runtime& runtime, const Value& value) {
  const Text text = to_text(runtime, value);
  runtime.walk(text.footprint());
  runtime.check_text_size(5 * text.size());
  return text.safe() ? text : escaped(text);
}

Value attributes_of_tag(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "xmlattr", arguments, {"autospace"});
  runtime.refuse_undefined(input);
  if (input.dict() == nullptr)
    runtime.type_error("xmlattr needs a dict, not " + std::string(type_name(input)));
  Text out;
  for (const auto& [key, value] : input.dict()->items()) {
    if (value.is_none() || value.is_undefined()) continue;
    if (key.text() == nullptr)
      runtime.type_error("xmlattr needs str keys, not " + std::string(type_name(key)));
    if (key.text()->bytes().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      runtime.type_error("xmlattr: an attribute's name has white space or one of \"/>=\"");
    }
    if (!out.empty() || p.flag(0, true)) out.append(" ", false);
    out.append(escaped_unless_safe(runtime, key));
    out.append("=\"", false);
    out.append(escaped_unless_safe(runtime, value));
    out.append("\"", false);
    runtime.check_text_size(out.size());
  }
  return runtime.text(std::move(out));
}

Value file_size(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "filesizeformat", arguments, {"binary"});
  runtime.refuse_undefined(input);
  auto bytes = input.number();
  if (const Text* text = input.text()) bytes = parse_float(text->bytes());
  if (!bytes) runtime.type_error("filesizeformat needs a number, not " + std::string(type_name(input)));
  const bool binary = p.flag(0, false);
  const double base = binary ? 1024 : 1000;
  char out[400];
  if (*bytes == 1) return runtime.text("1 Byte", false);
  if (*bytes < base) {
    if (std::isinf(*bytes)) runtime.type_error("filesizeformat of an infinite number");
    std::snprintf(out, sizeof out, "%.0f Bytes", std::trunc(*bytes) + 0.0);
    return runtime.text(out, false);
  }
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  static constexpr double kDecimal[] = {1e6, 1e9, 1e12, 1e15, 1e18, 1e21, 1e24, 1e27};
  std::size_t i = 0;
  const auto unit = [&] { return binary ? std::ldexp(1.0, 10 * static_cast<int>(i + 2)) : kDecimal[i]; };
  while (i + 1 < kPrefixes.size() && !(*bytes < unit())) ++i;
  const char prefix = binary && i == 0 ? 'K' : kPrefixes[i];
  std::snprintf(out, sizeof out, "%.1f %c%sB", base * *bytes / unit(), prefix, binary ? "i" : "");
  return runtime.text(out, false);
}

}  // namespace

const std::vector<NamedFilter>& web_filters() {
  static const std::vector<NamedFilter> filters = {{"urlencode", url_encoded},
                                                   {"striptags", tags_stripped},
                                                   {"xmlattr", attributes_of_tag},
                                                   {"filesizeformat", file_size}};
  return filters;
}

}  // namespace partita::internal::jinja
