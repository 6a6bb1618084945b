// An event-based (SAX) scanner for JSON (RFC 8259). Used by reader.cc alone, instead of nlohmann's parser,
// which ends the program when memory is exhausted.
#pragma once

#include <algorithm>
#include <bitset>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "partita/json.hpp"

namespace partita::internal {

enum class JsonProblem : std::uint8_t {
  kNone,
  kStopped,     // an event returned false
  kEnded,       // the text is truncated
  kUnexpected,  // an invalid byte
  kRange        // a number out of the range of double
};

/// Calls an event of Events for every value and key, in the order of the text; each returns whether to
/// continue: null(), boolean(bool), integer(int64), natural(uint64), real(double), string(std::string),
/// key(std::string), open_array(), close_array(), open_object(), close_object(). The events must refuse
/// nesting deeper than kMaxJsonDepth. Throws std::bad_alloc. Accepts what nlohmann's parser accepts: one byte
/// order mark at the start, well-formed UTF-8; numbers without fraction or exponent that fit into 64 bits
/// stay integers.
template <class Events>
class JsonScanner {
 public:
  JsonScanner(std::string_view text, Events& events) : text_(text), events_(events) {}

  JsonProblem run() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (problem_ == JsonProblem::kNone && !done_) {
      if (!value()) break;
    }
    if (problem_ != JsonProblem::kNone) return problem_;
    skip_spaces();
    if (at_ < text_.size()) fail(JsonProblem::kUnexpected);
    return problem_;
  }

  /// Where the problem is: the index of the first invalid byte, or the end of a number.
  std::size_t position() const { return at_; }
  /// The number that is out of range.
  std::string_view number() const { return text_.substr(begin_, at_ - begin_); }

 private:
  bool fail(JsonProblem problem) {
    if (problem_ == JsonProblem::kNone) {
      const bool ended = problem == JsonProblem::kUnexpected && at_ >= text_.size();
      problem_ = ended ? JsonProblem::kEnded : problem;
    }
    return false;
  }
  bool unexpected() { return fail(JsonProblem::kUnexpected); }
  bool proceed(bool go_on) { return go_on || fail(JsonProblem::kStopped); }

  /// The next byte, or -1 at the end.
  int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }
  bool take(char c) {
    if (peek() != static_cast<unsigned char>(c)) return false;
    ++at_;
    return true;
  }
  void skip_spaces() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  /// One value (of an object or array its opening bracket) and all closing brackets after it.
  bool value() {
    skip_spaces();
    if (take('{')) return open(true);
    if (take('[')) return open(false);
    return scalar() && after_value();
  }

  bool open(bool object) {
    if (!proceed(object ? events_.open_object() : events_.open_array())) return false;
    is_object_[depth_++] = object;
    skip_spaces();
    if (peek() == (object ? '}' : ']')) return after_value();
    return !object || key();
  }

  bool key() {
    skip_spaces();
    if (peek() != '"') return unexpected();
    std::string name;
    if (!string(name) || !proceed(events_.key(std::move(name)))) return false;
    skip_spaces();
    return take(':') || unexpected();
  }

  /// What may follow a value: closing brackets, or a comma and another value.
  bool after_value() {
    for (; depth_ > 0; --depth_) {
      const bool object = is_object_[depth_ - 1];
      skip_spaces();
      if (take(',')) return !object || key();
      if (!take(object ? '}' : ']')) return unexpected();
      if (!proceed(object ? events_.close_object() : events_.close_array())) return false;
    }
    done_ = true;
    return true;
  }

  bool scalar() {
    switch (peek()) {
      case '"': {
        std::string text;
        return string(text) && proceed(events_.string(std::move(text)));
      }
      case 't':
        return literal("true") && proceed(events_.boolean(true));
      case 'f':
        return literal("false") && proceed(events_.boolean(false));
      case 'n':
        return literal("null") && proceed(events_.null());
      default:
        return number_value();
    }
  }

  bool literal(std::string_view word) {
    for (const char c : word) {
      if (!take(c)) return unexpected();
    }
    return true;
  }

  bool digits() {
    if (!is_digit(peek())) return unexpected();
    while (is_digit(peek())) ++at_;
    return true;
  }
  static bool is_digit(int c) { return c >= '0' && c <= '9'; }

  bool number_value() {
    begin_ = at_;
    const bool negative = take('-');
    if (!take('0') && !digits()) return false;
    const std::size_t integer_end = at_;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    return (at_ == integer_end && integer_number(negative)) ||
           (problem_ == JsonProblem::kNone && double_number());
  }

  /// False if the number does not fit into 64 bits: it is then read as a double.
  bool integer_number(bool negative) {
    const char *const first = text_.data() + begin_, *const last = text_.data() + at_;
    std::int64_t integer = 0;
    std::uint64_t natural = 0;
    const auto read =
        negative ? std::from_chars(first, last, integer) : std::from_chars(first, last, natural);
    if (read.ec != std::errc()) return false;
    return proceed(negative ? events_.integer(integer) : events_.natural(natural));
  }

  bool double_number() {
    double number = 0;
    const auto read = std::from_chars(text_.data() + begin_, text_.data() + at_, number);
    if (read.ec == std::errc::result_out_of_range) {
      if (!is_tiny(this->number())) return fail(JsonProblem::kRange);
      number = text_[begin_] == '-' ? -0.0 : 0.0;
    } else if (!std::isfinite(number)) {
      return fail(JsonProblem::kRange);
    }
    return proceed(events_.real(number));
  }

  /// For a number out of range: whether it is too small (below 1) rather than too large.
  static bool is_tiny(std::string_view number) {
    if (number.front() == '-') number.remove_prefix(1);
    const std::size_t e = std::min(number.find_first_of("eE"), number.size());
    const std::string_view mantissa = number.substr(0, e);
    const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
    const std::size_t first = mantissa.find_first_of("123456789");
    if (first == std::string_view::npos) return true;
    std::string_view power = e < number.size() ? number.substr(e + 1) : "0";
    if (power.front() == '+') power.remove_prefix(1);
    std::int64_t exponent = 0;
    if (std::from_chars(power.data(), power.data() + power.size(), exponent).ec != std::errc())
      return power.front() == '-';  // so large that the mantissa does not matter
    const auto places = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
    return exponent < -places;
  }

  /// A string, from its opening quote.
  bool string(std::string& out) {
    ++at_;
    while (true) {
      const std::size_t begin = at_;
      while (is_plain(peek())) ++at_;
      out.append(text_, begin, at_ - begin);
      if (take('"')) return true;
      if (!(take('\\') ? escape(out) : character(out))) return false;
    }
  }

  /// ASCII that needs no escape.
  static bool is_plain(int c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

  bool escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kBytes = "\"\\/\b\f\n\r\t";
    if (take('u')) return escaped_code(out);
    const std::size_t found = peek() < 0 ? std::string_view::npos : kNames.find(text_[at_]);
    if (found == std::string_view::npos) return unexpected();
    ++at_;
    out.push_back(kBytes[found]);
    return true;
  }

  /// After "\u": a character, or a surrogate pair.
  bool escaped_code(std::string& out) {
    std::uint32_t code = 0;
    if (!hex(code)) return false;
    if (code >= 0xDC00 && code < 0xE000) {
      at_ -= 4;
      return unexpected();  // a low surrogate alone
    }
    if (code >= 0xD800 && code < 0xDC00) {
      std::uint32_t low = 0;
      if (!take('\\') || !take('u')) return unexpected();
      if (!hex(low)) return false;
      if (low < 0xDC00 || low >= 0xE000) {
        at_ -= 4;
        return unexpected();
      }
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(code, out);
    return true;
  }

  bool hex(std::uint32_t& code) {
    for (int i = 0; i < 4; ++i, ++at_) {
      const int c = peek();
      const int digit = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return unexpected();
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  static void append_utf8(std::uint32_t code, std::string& out) {
    const auto tail = [&](int shift) { out.push_back(static_cast<char>(0x80 | ((code >> shift) & 0x3F))); };
    if (code < 0x80) return out.push_back(static_cast<char>(code));
    if (code < 0x800) {
      out.push_back(static_cast<char>(0xC0 | (code >> 6)));
    } else if (code < 0x10000) {
      out.push_back(static_cast<char>(0xE0 | (code >> 12)));
      tail(6);
    } else {
      out.push_back(static_cast<char>(0xF0 | (code >> 18)));
      tail(12);
      tail(6);
    }
    tail(0);
  }

  /// One multi-byte character (Unicode 15, table 3-7).
  bool character(std::string& out) {
    const std::size_t begin = at_;
    const int lead = peek();
    const int more = lead >= 0xC2 && lead <= 0xDF   ? 1
                     : lead >= 0xE0 && lead <= 0xEF ? 2
                     : lead >= 0xF0 && lead <= 0xF4 ? 3
                                                    : 0;
    if (more == 0) return unexpected();
    ++at_;
    int min = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    int max = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (int i = 0; i < more; ++i, ++at_) {
      if (peek() < min || peek() > max) return unexpected();
      min = 0x80;
      max = 0xBF;
    }
    out.append(text_, begin, at_ - begin);
    return true;
  }

  std::string_view text_;
  Events& events_;
  std::size_t at_ = 0, begin_ = 0;  // begin_: the start of the number
  std::size_t depth_ = 0;
  std::bitset<kMaxJsonDepth> is_object_;  // the open objects and arrays, outermost first
  JsonProblem problem_ = JsonProblem::kNone;
  bool done_ = false;
};

}  // namespace partita::internal
