// Oniguruma's syntax, with its options for Ruby, and that of fancy-regex in that of PCRE2.
#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/json/json_expression.h"
#include "tokenizer/pre/unicode.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

// Bracket contents of Oniguruma's classes, where PCRE2's differ.
constexpr std::string_view kSpace =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kWord =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";
constexpr std::string_view kHex = "0-9a-fA-F";
constexpr std::string_view kDigit = R"(\p{Nd})";

class Translation {
 public:
  Translation(std::string_view pattern, ExpressionSyntax syntax)
      : rest_(pattern), is_ruby_(syntax == ExpressionSyntax::kOniguruma) {}

  Result<std::string> run() {
    while (!rest_.empty()) {
      if (rest_[0] == '\\') {
        TRY(escape(false));
      } else if (rest_[0] == '[') {
        TRY(character_class());
      } else if (rest_.starts_with("(?")) {
        TRY(group());
      } else if (rest_.starts_with("(*")) {
        return unsupported("(*");
      } else if (is_ruby_ && rest_.starts_with("}+")) {
        // To Ruby an interval that is repeated, not one that is possessive.
        return unsupported("}+");
      } else {
        copy(1);
      }
    }
    return std::move(out_);
  }

 private:
  static Error unsupported(std::string_view what) {
    return {ErrorCode::kUnsupported, sentence("a regular expression has ", internal::quoted(what),
                                              ", which this version cannot translate")};
  }

  void copy(std::size_t bytes) {
    out_ += rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
  }

  void replace(std::size_t bytes, std::string_view by) {
    out_ += by;
    rest_.remove_prefix(bytes);
  }

  /// What a letter after a backslash stands for; empty: what it stands for in PCRE2.
  static std::string_view class_of(char letter) {
    switch (letter) {
      case 's':
      case 'S':
        return kSpace;
      case 'w':
      case 'W':
        return kWord;
      case 'h':
      case 'H':
        return kHex;
      case 'd':
      case 'D':
        return kDigit;
      default:
        return {};
    }
  }

  Result<void> escape(bool in_class) {
    if (rest_.size() < 2) return unsupported("\\");
    const char letter = rest_[1];
    const std::string_view set = class_of(letter);
    const bool is_negated = letter >= 'A' && letter <= 'Z';
    if (!set.empty() && !in_class) {
      replace(2, sentence(is_negated ? "[^" : "[", set, "]"));
    } else if (!set.empty() && !is_negated) {
      replace(2, set);
    } else if (letter == 'W' || letter == 'H') {
      return unsupported(rest_.substr(0, 2));
    } else if (std::string_view("pP").find(letter) != std::string_view::npos && rest_.substr(2, 1) == "{") {
      return property(in_class);
    } else if (letter == 'x' && rest_.substr(2, 1) == "{") {
      const std::size_t end = rest_.find('}');
      if (end == rest_.npos) return unsupported("\\x{");
      copy(end + 1);
    } else if (letter == 'u') {
      if (rest_.size() < 6) return unsupported("\\u");
      replace(6, sentence("\\x{", rest_.substr(2, 4), "}"));
    } else if (letter == 'v') {
      replace(2, "\\x0b");
    } else if (std::string_view("OyYgkKcCMQEX").find(letter) != std::string_view::npos) {
      return unsupported(rest_.substr(0, 2));
    } else {
      copy(2);
    }
    return {};
  }

  /// \p{NAME}, \P{NAME} or \p{^NAME}, with the characters that PCRE2's version of Unicode does not know.
  Result<void> property(bool in_class) {
    const std::size_t end = rest_.find('}');
    if (end == rest_.npos) return unsupported(rest_.substr(0, 3));
    std::string_view name = rest_.substr(3, end - 3);
    const bool is_negated = (rest_[1] == 'P') != name.starts_with('^');
    if (name.starts_with('^')) name.remove_prefix(1);
    if (in_class && is_negated) {
      replace(end + 1, sentence("\\P{", name, "}"));
      return {};
    }
    const std::string contents =
        name == "Han" ? std::string(additions_of(name)) : sentence("\\p{", name, "}", additions_of(name));
    replace(end + 1, in_class ? contents : sentence(is_negated ? "[^" : "[", contents, "]"));
    return {};
  }

  Result<void> character_class() {
    copy(1);
    if (rest_.starts_with("^")) copy(1);
    if (rest_.starts_with("]")) return unsupported("[]");
    while (!rest_.empty() && rest_[0] != ']') {
      if (rest_[0] == '\\') {
        TRY(escape(true));
      } else if (rest_.starts_with("[:")) {
        const std::size_t end = rest_.find(":]");
        if (end == rest_.npos) return unsupported("[:");
        copy(end + 2);
      } else if (rest_[0] == '[' || rest_.starts_with("&&")) {
        return unsupported(rest_[0] == '[' ? "a class within a class" : "&&");
      } else {
        copy(1);
      }
    }
    if (rest_.empty()) return unsupported("[ without ]");
    copy(1);
    return {};
  }

  /// "(?": a look-around, an atomic or plain group, or options, of which Ruby's m makes a dot match line
  /// feeds.
  Result<void> group() {
    for (const std::string_view known : {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"}) {
      if (!rest_.starts_with(known)) continue;
      copy(known.size());
      return {};
    }
    const std::size_t end = rest_.find_first_not_of(is_ruby_ ? "imx-" : "imsx-", 2);
    if (end == rest_.npos || end == 2 || (rest_[end] != ':' && rest_[end] != ')')) {
      return unsupported(rest_.substr(0, 4));
    }
    // In the middle, Ruby's "(?i)" makes a group of all alternatives after it.
    if (is_ruby_ && rest_[end] == ')' && !out_.empty()) return unsupported(rest_.substr(0, end + 1));
    for (const char option : rest_.substr(0, end)) out_ += is_ruby_ && option == 'm' ? 's' : option;
    rest_.remove_prefix(end);
    copy(1);
    return {};
  }

  std::string_view rest_;
  bool is_ruby_;
  std::string out_;
};

}  // namespace

Result<std::string> translate_expression(std::string_view pattern, ExpressionSyntax syntax) {
  return Translation(pattern, syntax).run();
}

}  // namespace partita::internal
