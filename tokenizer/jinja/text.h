// Template strings: bytes with their provenance (from a message or trusted), with the Unicode semantics of
// Python's str. Invalid UTF-8 is kept: a byte that starts no valid character counts as one character.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace partita::internal::jinja {

/// A string in which each byte is trusted (from the template, special tokens) or from a message.
class Text {
 public:
  /// Bytes [previous end, end) have one origin. Adjacent runs differ; no run is empty.
  struct Run {
    std::size_t end;
    bool from_message;
  };

  Text() = default;
  Text(std::string_view bytes, bool from_message) { append(bytes, from_message); }

  const std::string& bytes() const { return bytes_; }
  const std::vector<Run>& runs() const { return runs_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  /// Whether any byte came from a message.
  bool from_message() const;

  void append(std::string_view bytes, bool from_message);
  void append(const Text& other) { append(other, 0, other.size()); }
  /// Bytes [begin, end) of `other`, origins included; the range must lie inside, and `other` is not *this.
  /// safe() does not change.
  void append(const Text& other, std::size_t begin, std::size_t end);
  /// The slice is safe() if this is.
  Text slice(std::size_t begin, std::size_t end) const;

  /// Calls visit(bytes, from_message) for every run in order.
  template <class Visit>
  void for_each_run(Visit visit) const {
    std::size_t begin = 0;
    for (const Run& run : runs_) {
      visit(std::string_view(bytes_).substr(begin, run.end - begin), run.from_message);
      begin = run.end;
    }
  }

  /// Whether the filter `safe` or `escape` made the string: "+" then escapes the added text.
  bool safe() const { return safe_; }
  Text& set_safe(bool safe) {
    safe_ = safe;
    return *this;
  }

  /// The memory of this string in bytes.
  std::size_t footprint() const { return sizeof(Text) + bytes_.size() + runs_.size() * sizeof(Run); }

 private:
  std::string bytes_;
  std::vector<Run> runs_;
  bool safe_ = false;
};

/// The character at `at`: its code point and its length. If no valid character starts there, one byte b as
/// the lone surrogate U+DC00 + b, as in Python (surrogateescape): it has no case, is not a space and is not
/// printable.
struct Character {
  char32_t code;
  std::size_t length;
};
Character character_at(std::string_view bytes, std::size_t at);

/// Appends `code` as UTF-8.
void append_utf8(std::string& out, char32_t code);

std::size_t character_count(std::string_view bytes);
/// Byte offsets of all characters, then the size: count + 1 numbers.
std::vector<std::size_t> character_offsets(std::string_view bytes);

/// Python's str.isspace() of one character.
bool is_space(char32_t code);
bool is_alpha(char32_t code);
bool is_digit(char32_t code);
/// Whether repr() shows the character as itself.
bool is_printable(char32_t code);

char32_t upper_of(char32_t code);
char32_t lower_of(char32_t code);
char32_t title_of(char32_t code);

/// Applies `map` to every character; keeps provenance and safe(). map(code) is called in order, so it may
/// have state.
template <class Map>
Text map_characters(const Text& text, Map map) {
  Text out;
  std::string mapped;
  text.for_each_run([&](std::string_view bytes, bool from_message) {
    mapped.clear();
    for (std::size_t at = 0; at < bytes.size();) {
      const Character c = character_at(bytes, at);
      const char32_t to = map(c.code);
      if (to == c.code) {
        mapped.append(bytes.substr(at, c.length));  // also keeps an invalid byte
      } else {
        append_utf8(mapped, to);
      }
      at += c.length;
    }
    out.append(mapped, from_message);
  });
  out.set_safe(text.safe());
  return out;
}

/// Simple case mappings, one character to one, except that "ß" becomes "SS".
Text to_upper(const Text& text);
Text to_lower(const Text& text);
/// First character in title case, the rest in lower case.
Text capitalize(const Text& text);

/// HTML-escaped and safe.
Text escaped(const Text& text);

/// The bytes [begin, end) that strip() leaves; null `chars`: white space.
struct Range {
  std::size_t begin, end;
};
Range strip_range(std::string_view bytes, const std::string* chars, bool left, bool right);

/// The lines of Python's splitlines(), without their ends unless `keep_ends`.
std::vector<Range> line_ranges(std::string_view bytes, bool keep_ends);

/// First occurrence of `needle` at or after `from`, in linear time; npos when there is none.
std::size_t find_bytes(std::string_view haystack, std::string_view needle, std::size_t from);

}  // namespace partita::internal::jinja
