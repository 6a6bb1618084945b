#include "tokenizer/jinja/text.h"

#include <string.h>

#include <algorithm>
#include <unordered_set>

#include <utf8proc.h>

namespace partita::internal::jinja {
namespace {

constexpr char32_t kSharpS = 0xDF;  // utf8proc maps it to U+1E9E, which Unicode added later; Python does not

}  // namespace

bool Text::from_message() const {
  return std::any_of(runs_.begin(), runs_.end(), [](const Run& run) { return run.from_message; });
}

void Text::append(std::string_view bytes, bool from_message) {
  if (bytes.empty()) return;
  bytes_.append(bytes);
  if (!runs_.empty() && runs_.back().from_message == from_message) {
    runs_.back().end = bytes_.size();
  } else {
    runs_.push_back({bytes_.size(), from_message});
  }
}

void Text::append(const Text& other, std::size_t begin, std::size_t end) {
  auto run = std::upper_bound(other.runs_.begin(), other.runs_.end(), begin,
                              [](std::size_t at, const Run& r) { return at < r.end; });
  while (begin < end && run != other.runs_.end()) {
    const std::size_t stop = std::min(end, run->end);
    append(std::string_view(other.bytes_).substr(begin, stop - begin), run->from_message);
    begin = stop;
    ++run;
  }
}

Text Text::slice(std::size_t begin, std::size_t end) const {
  Text out;
  out.append(*this, begin, end);
  out.safe_ = safe_;
  return out;
}

Character character_at(std::string_view bytes, std::size_t at) {
  const auto* start = reinterpret_cast<const utf8proc_uint8_t*>(bytes.data()) + at;
  utf8proc_int32_t code = -1;
  const auto left = static_cast<utf8proc_ssize_t>(bytes.size() - at);
  const utf8proc_ssize_t length = utf8proc_iterate(start, left, &code);
  if (length <= 0) return {static_cast<char32_t>(0xDC00 + *start), 1};
  return {static_cast<char32_t>(code), static_cast<std::size_t>(length)};
}

void append_utf8(std::string& out, char32_t code) {
  utf8proc_uint8_t buffer[4];
  const utf8proc_ssize_t length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), buffer);
  out.append(reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(length));
}

std::size_t character_count(std::string_view bytes) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < bytes.size(); ++count) at += character_at(bytes, at).length;
  return count;
}

std::vector<std::size_t> character_offsets(std::string_view bytes) {
  std::vector<std::size_t> offsets;
  for (std::size_t at = 0; at < bytes.size(); at += character_at(bytes, at).length) offsets.push_back(at);
  offsets.push_back(bytes.size());
  return offsets;
}

bool is_space(char32_t code) {
  if (code <= 0x20) return code == 0x20 || (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x1F);
  if (code < 0x85) return false;
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_alpha(char32_t code) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_digit(char32_t code) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code)) == UTF8PROC_CATEGORY_ND;
}

bool is_printable(char32_t code) {
  if (code == U' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

char32_t upper_of(char32_t code) {
  if (code == kSharpS) return code;
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code)));
}
char32_t lower_of(char32_t code) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code)));
}
char32_t title_of(char32_t code) {
  if (code == kSharpS) return code;
  return static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(code)));
}

Text to_upper(const Text& text) {
  Text out;
  std::string mapped;
  text.for_each_run([&](std::string_view bytes, bool from_message) {
    mapped.clear();
    for (std::size_t at = 0; at < bytes.size();) {
      const Character c = character_at(bytes, at);
      const char32_t to = upper_of(c.code);
      if (c.code == kSharpS) {
        mapped += "SS";
      } else if (to == c.code) {
        mapped.append(bytes.substr(at, c.length));
      } else {
        append_utf8(mapped, to);
      }
      at += c.length;
    }
    out.append(mapped, from_message);
  });
  return out.set_safe(text.safe());
}
Text to_lower(const Text& text) { return map_characters(text, lower_of); }

Text capitalize(const Text& text) {
  bool first = true;
  return map_characters(text, [&first](char32_t code) {
    const char32_t mapped = first ? title_of(code) : lower_of(code);
    first = false;
    return mapped;
  });
}

Text escaped(const Text& text) {
  Text out;
  text.for_each_run([&out](std::string_view bytes, bool from_message) {
    std::string replaced;
    for (const char c : bytes) {
      switch (c) {
        case '&':
          replaced += "&amp;";
          break;
        case '<':
          replaced += "&lt;";
          break;
        case '>':
          replaced += "&gt;";
          break;
        case '"':
          replaced += "&#34;";
          break;
        case '\'':
          replaced += "&#39;";
          break;
        default:
          replaced += c;
      }
    }
    out.append(replaced, from_message);
  });
  out.set_safe(true);
  return out;
}

namespace {

// The start of the character that ends at `end`: skips back over at most three continuation bytes.
std::size_t previous_character(std::string_view bytes, std::size_t end) {
  for (std::size_t length = 1; length <= 4 && length <= end; ++length) {
    const std::size_t at = end - length;
    if ((static_cast<unsigned char>(bytes[at]) & 0xC0) == 0x80) continue;
    if (character_at(bytes, at).length == length) return at;
    break;
  }
  return end - 1;
}

bool is_line_end(char32_t code) {
  return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 || code == 0x2028 ||
         code == 0x2029;
}

}  // namespace

Range strip_range(std::string_view bytes, const std::string* chars, bool left, bool right) {
  std::unordered_set<char32_t> set;
  if (chars != nullptr) {
    for (std::size_t at = 0; at < chars->size();) {
      const Character c = character_at(*chars, at);
      set.insert(c.code);
      at += c.length;
    }
  }
  const auto strips = [&](char32_t code) { return chars == nullptr ? is_space(code) : set.count(code) > 0; };
  Range range{0, bytes.size()};
  while (left && range.begin < range.end) {
    const Character c = character_at(bytes, range.begin);
    if (!strips(c.code)) break;
    range.begin += c.length;
  }
  while (right && range.end > range.begin) {
    const std::size_t at = previous_character(bytes, range.end);
    if (!strips(character_at(bytes, at).code)) break;
    range.end = at;
  }
  return range;
}

std::vector<Range> line_ranges(std::string_view bytes, bool keep_ends) {
  std::vector<Range> lines;
  std::size_t start = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const Character c = character_at(bytes, at);
    std::size_t next = at + c.length;
    if (is_line_end(c.code)) {
      if (c.code == U'\r' && next < bytes.size() && bytes[next] == '\n') ++next;
      lines.push_back({start, keep_ends ? next : at});
      start = next;
    }
    at = next;
  }
  if (start < bytes.size()) lines.push_back({start, bytes.size()});
  return lines;
}

std::size_t find_bytes(std::string_view haystack, std::string_view needle, std::size_t from) {
  if (from > haystack.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  // memmem is a two-way search: linear even on the repetitive strings that make std::search quadratic.
  const char* start = haystack.data() + from;
  const std::size_t length = haystack.size() - from;
  const void* hit = needle.size() == 1 ? memchr(start, needle.front(), length)
                                       : memmem(start, length, needle.data(), needle.size());
  if (hit == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(hit) - haystack.data());
}

}  // namespace partita::internal::jinja
