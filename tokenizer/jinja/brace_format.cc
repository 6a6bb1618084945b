#include <algorithm>

#include "tokenizer/jinja/format.h"
#include "tokenizer/jinja/format_spec.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {
namespace {

// One replacement field: {name!conversion:spec}.
struct Field {
  std::string name, spec;
  char conversion = '\0';
};

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

class BraceFormatter {
 public:
  BraceFormatter(Runtime& runtime, const Arguments& arguments) : runtime_(runtime), arguments_(arguments) {}

  /// `depth`: fields inside specifications that are allowed.
  Text run(const Text& format, int depth) {
    const std::string& bytes = format.bytes();
    runtime_.search(format.footprint());
    Text out;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
      out.append(format, at, brace);
      if (brace == bytes.size()) break;
      runtime_.step();
      if (brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace]) {  // a doubled brace is one
        out.append(format, brace, brace + 1);
        at = brace + 2;
        continue;
      }
      const std::size_t close = bytes[brace] == '{' ? closing(bytes, brace + 1) : std::string::npos;
      if (close == std::string::npos) {
        runtime_.type_error("str.format(): a single '{' or '}' in the format");
      }
      if (depth == 0) runtime_.type_error("str.format(): fields nest too deep");
      out.append(value_of(split(bytes.substr(brace + 1, close - brace - 1)), depth));
      runtime_.check_text_size(out.size());
      at = close + 1;
    }
    return out;
  }

 private:
  // The '}' of the field that begins at `at`; npos if there is none.
  static std::size_t closing(const std::string& bytes, std::size_t at) {
    std::size_t open = 1;
    bool index = false;  // inside [], where braces are part of a key
    bool named = true;   // before the conversion and the specification
    for (; at < bytes.size(); ++at) {
      const char c = bytes[at];
      if (named && c == '[') index = true;
      if (index && c == ']') index = false;
      if (index) continue;
      if (c == ':' || c == '!') named = false;
      if (c == '{') ++open;
      if (c == '}' && --open == 0) return at;
    }
    return std::string::npos;
  }

  Field split(const std::string& text) const {
    Field field;
    std::size_t at = 0;
    for (bool index = false; at < text.size() && (index || (text[at] != '!' && text[at] != ':')); ++at) {
      if (text[at] == '[') index = true;
      if (text[at] == ']') index = false;
      if (text[at] == '{') runtime_.type_error("str.format(): unexpected '{' in the name of a field");
    }
    field.name = text.substr(0, at);
    if (at < text.size() && text[at] == '!') {
      if (at + 1 == text.size() || (at + 2 < text.size() && text[at + 2] != ':')) {
        runtime_.type_error("str.format(): expected one letter and ':' after '!'");
      }
      field.conversion = text[at + 1];
      at += 2;
    }
    if (at < text.size()) field.spec = text.substr(at + 1);
    return field;
  }

  Text value_of(const Field& field, int depth) {
    Value value = look_up(field.name);
    switch (field.conversion) {
      case '\0':
        break;
      case 's':
        value = runtime_.text(to_text(runtime_, value));
        break;
      case 'r':
        value = runtime_.text(repr(runtime_, value));
        break;
      case 'a':
        value = runtime_.text(ascii_repr(runtime_, value));
        break;
      default:
        runtime_.type_error(std::string("str.format(): unknown conversion '") + field.conversion + "'");
    }
    const Text spec = run(Text(field.spec, false), depth - 1);
    return format_value(runtime_, value, spec.bytes());
  }

  // The first part of a name is an argument; ".attribute" and "[key]" follow it.
  Value look_up(const std::string& name) {
    const std::size_t end = std::min(name.find_first_of(".["), name.size());
    Value value = argument(name.substr(0, end), end == name.size());
    for (std::size_t at = end; at < name.size();) {
      runtime_.step();
      if (name[at] == '.') {
        const std::size_t stop = std::min(name.find_first_of(".[", at + 1), name.size());
        if (stop == at + 1) runtime_.type_error("str.format(): an empty attribute in a field");
        value = attribute_of(runtime_, value, name.substr(at + 1, stop - at - 1));
        at = stop;
        continue;
      }
      const std::size_t close = name[at] == '[' ? name.find(']', at) : std::string::npos;
      if (close == std::string::npos || close == at + 1) {
        runtime_.type_error("str.format(): the name '" + name + "' is not valid");
      }
      const std::string key = name.substr(at + 1, close - at - 1);
      const bool index = all_digits(key) && key.size() < 10;
      value =
          item_of(runtime_, value, index ? Value(std::int64_t{std::stoll(key)}) : runtime_.text(key, false));
      at = close + 1;
    }
    return value;
  }

  const Value& argument(const std::string& name, bool alone) {
    const bool index = all_digits(name);
    if (alone && (name.empty() || index)) number_fields(name.empty());
    if (index || (alone && name.empty())) {
      const std::size_t i = name.empty() ? next_++ : name.size() > 6 ? SIZE_MAX : std::stoul(name);
      if (i < arguments_.positional.size()) return arguments_.positional[i];
    } else {
      runtime_.step(arguments_.named.size() / 8);
      for (const auto& [known, value] : arguments_.named) {
        if (known == name) return value;
      }
    }
    runtime_.type_error("str.format() has no value for '{" + name + "}'");
  }

  // Fields have numbers or none, not both.
  void number_fields(bool automatic) {
    const Numbering now = automatic ? Numbering::kAutomatic : Numbering::kManual;
    if (numbering_ != Numbering::kNone && numbering_ != now) {
      runtime_.type_error("str.format() mixes fields with and without numbers");
    }
    numbering_ = now;
  }

  enum class Numbering { kNone, kAutomatic, kManual };

  Runtime& runtime_;
  const Arguments& arguments_;
  Numbering numbering_ = Numbering::kNone;
  std::size_t next_ = 0;
};

}  // namespace

Value brace_format(Runtime& runtime, const Text& format, const Arguments& arguments) {
  if (format.safe()) runtime.unsupported("formatting a safe text");
  return runtime.text(BraceFormatter(runtime, arguments).run(format, 2));
}

}  // namespace partita::internal::jinja
