#include "tokenizer/jinja/print.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tokenizer/jinja/compare.h"

namespace partita::internal::jinja {
namespace {

void append_hex(std::string& out, char32_t code, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[(code >> shift) & 15];
}

void append_escape(std::string& out, char32_t code) {
  out += code < 0x100 ? "\\x" : code < 0x10000 ? "\\u" : "\\U";
  append_hex(out, code, code < 0x100 ? 2 : code < 0x10000 ? 4 : 8);
}

void append_quoted(std::string& out, const std::string& bytes) {
  const bool has_single = bytes.find('\'') != std::string::npos;
  const char quote = has_single && bytes.find('"') == std::string::npos ? '"' : '\'';
  out += quote;
  for (std::size_t at = 0; at < bytes.size();) {
    const Character c = character_at(bytes, at);
    if (c.code == static_cast<char32_t>(quote) || c.code == U'\\') {
      out += '\\';
      out += bytes[at];
    } else if (c.code == U'\n') {
      out += "\\n";
    } else if (c.code == U'\r') {
      out += "\\r";
    } else if (c.code == U'\t') {
      out += "\\t";
    } else if (is_printable(c.code)) {
      out.append(bytes, at, c.length);
    } else {
      append_escape(out, c.code);
    }
    at += c.length;
  }
  out += quote;
}

// Collects a printed value and whether any part of it came from a message.
class Printer {
 public:
  explicit Printer(Runtime& runtime) : runtime_(runtime) {}
  Text finish() const { return Text(out_, from_message_); }

 protected:
  void count() {
    runtime_.step();
    runtime_.check_text_size(out_.size());
  }

  Runtime& runtime_;
  std::string out_;
  bool from_message_ = false;
};

class ReprPrinter : public Printer {
 public:
  using Printer::Printer;

  void print(const Value& value) {
    count();
    std::visit(*this, value.data());
  }

  void operator()(const Undefined&) { out_ += "Undefined"; }
  void operator()(const None&) { out_ += "None"; }
  void operator()(bool value) { out_ += value ? "True" : "False"; }
  void operator()(std::int64_t value) { out_ += std::to_string(value); }
  void operator()(std::uint64_t value) { out_ += std::to_string(value); }
  void operator()(double value) { out_ += float_repr(value); }
  void operator()(const TextPtr& text) {
    runtime_.walk(text->size());
    from_message_ = from_message_ || text->from_message();
    if (text->safe()) out_ += "Markup(";
    append_quoted(out_, text->bytes());
    if (text->safe()) out_ += ')';
  }
  void operator()(const ObjectPtr& object) {
    if (const auto* space = dynamic_cast<const Namespace*>(object.get())) return print_namespace(*space);
    const std::string printed = object->printed();
    if (printed.empty()) runtime_.unsupported(std::string("printing a ") + object->type_name());
    out_ += printed;
  }
  void operator()(const DictPtr& dict) {
    out_ += '{';
    bool first = true;
    for (const auto& [key, value] : dict->items()) {
      if (!first) out_ += ", ";
      first = false;
      print(key);
      out_ += ": ";
      print(value);
    }
    out_ += '}';
  }
  void operator()(const SequencePtr& sequence) {
    switch (sequence->kind) {
      case SequenceKind::kList:
        return print_items("[", *sequence, "]");
      case SequenceKind::kTuple:
        return print_items("(", *sequence, sequence->items.size() == 1 ? ",)" : ")");
      case SequenceKind::kKeys:
        return print_items("dict_keys([", *sequence, "])");
      case SequenceKind::kValues:
        return print_items("dict_values([", *sequence, "])");
      case SequenceKind::kItems:
        return print_items("dict_items([", *sequence, "])");
      case SequenceKind::kRange:
        return print_range(sequence->bounds);
      case SequenceKind::kGenerator:
        runtime_.unsupported("printing a " + std::string(type_name(Value(sequence))));
    }
  }

 private:
  void print_range(const RangeBounds& bounds) {
    out_ += "range(" + std::to_string(bounds.start) + ", " + std::to_string(bounds.stop);
    if (bounds.step != 1) out_ += ", " + std::to_string(bounds.step);
    out_ += ')';
  }

  // A namespace inside itself is "{...}". Values nest to a bounded depth, but namespaces refer to one
  // another.
  void print_namespace(const Namespace& space) {
    const bool inside = std::find(open_.begin(), open_.end(), &space) != open_.end();
    if (inside) {
      out_ += "<Namespace {...}>";
      return;
    }
    if (open_.size() == kMaxOpen) {
      runtime_.fail(ErrorCode::kOutOfMemory, "namespaces nest deeper than " + std::to_string(kMaxOpen));
    }
    open_.push_back(&space);
    out_ += "<Namespace {";
    bool first = true;
    for (const auto& [name, value] : space.attributes()) {
      if (!first) out_ += ", ";
      first = false;
      append_quoted(out_, name);
      out_ += ": ";
      print(value);
    }
    out_ += "}>";
    open_.pop_back();
  }

  void print_items(const char* open, const Sequence& sequence, const char* close) {
    out_ += open;
    for (std::size_t i = 0; i < sequence.items.size(); ++i) {
      if (i > 0) out_ += ", ";
      print(sequence.items[i]);
    }
    out_ += close;
  }

  static constexpr std::size_t kMaxOpen = 20;
  std::vector<const Namespace*> open_;  // being printed
};

class JsonPrinter : public Printer {
 public:
  JsonPrinter(Runtime& runtime, const JsonStyle& style) : Printer(runtime), style_(style) {}

  void print(const Value& value) {
    count();
    std::visit(*this, value.data());
  }

  void operator()(const Undefined&) { refuse("Undefined"); }
  void operator()(const None&) { out_ += "null"; }
  void operator()(bool value) { out_ += value ? "true" : "false"; }
  void operator()(std::int64_t value) { out_ += std::to_string(value); }
  void operator()(std::uint64_t value) { out_ += std::to_string(value); }
  void operator()(double value) { out_ += number(value); }
  void operator()(const TextPtr& text) { print_string(*text); }
  void operator()(const ObjectPtr& object) { refuse(object->type_name()); }
  void operator()(const DictPtr& dict) { print_dict(*dict); }
  void operator()(const SequencePtr& sequence) {
    if (!sequence->is_list_or_tuple()) refuse(type_name(Value(sequence)));
    if (sequence->items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++depth_;
    for (std::size_t i = 0; i < sequence->items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      new_line();
      print(sequence->items[i]);
    }
    --depth_;
    new_line();
    out_ += ']';
  }

 private:
  [[noreturn]] void refuse(std::string_view type) const {
    runtime_.type_error("Object of type " + std::string(type) + " is not JSON serializable");
  }

  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return float_repr(value);
  }

  void new_line() {
    if (!style_.indent) return;
    runtime_.check_text_size(out_.size() + style_.indent->size() * depth_);
    runtime_.touch(style_.indent->size() * depth_);
    out_ += '\n';
    for (std::size_t i = 0; i < depth_; ++i) out_ += *style_.indent;
  }

  void print_dict(const Dict& dict) {
    if (dict.size() == 0) {
      out_ += "{}";
      return;
    }
    std::vector<const Dict::Item*> items;
    for (const Dict::Item& item : dict.items()) items.push_back(&item);
    if (style_.sort_keys) {
      std::stable_sort(items.begin(), items.end(), [this](const Dict::Item* a, const Dict::Item* b) {
        return less(runtime_, a->first, b->first);
      });
    }
    out_ += '{';
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      new_line();
      print_key(items[i]->first);
      out_ += style_.key_separator;
      print(items[i]->second);
    }
    --depth_;
    new_line();
    out_ += '}';
  }

  void print_key(const Value& key) {
    if (const Text* text = key.text()) return print_string(*text);
    if (!key.is_none() && !key.number()) {
      runtime_.type_error("keys must be str, int, float, bool or None, not " + std::string(type_name(key)));
    }
    out_ += '"';
    print(key);
    out_ += '"';
  }

  void print_string(const Text& text) {
    runtime_.walk(text.size());
    from_message_ = from_message_ || text.from_message();
    out_ += '"';
    const std::string& bytes = text.bytes();
    for (std::size_t at = 0; at < bytes.size();) {
      const Character c = character_at(bytes, at);
      if (!print_short_escape(c.code)) {
        if (c.code < 0x20 || (style_.ensure_ascii && c.code > 0x7E)) {
          print_long_escape(c.code);
        } else {
          out_.append(bytes, at, c.length);
        }
      }
      at += c.length;
    }
    out_ += '"';
  }

  bool print_short_escape(char32_t code) {
    static constexpr std::string_view kFrom = "\"\\\n\r\t\f\b";
    static constexpr std::string_view kTo = "\"\\nrtfb";
    if (code > 0x7F) return false;
    const std::size_t i = kFrom.find(static_cast<char>(code));
    if (i == std::string_view::npos) return false;
    out_ += '\\';
    out_ += kTo[i];
    return true;
  }

  void print_long_escape(char32_t code) {
    const auto unit = [&](char32_t u) {
      out_ += "\\u";
      append_hex(out_, u, 4);
    };
    if (code < 0x10000) return unit(code);
    const char32_t rest = code - 0x10000;
    unit(0xD800 + (rest >> 10));
    unit(0xDC00 + (rest & 0x3FF));
  }

  const JsonStyle& style_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view shortest(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = shortest.find('e');
  int exponent = 0;
  const char* digits = shortest.data() + e + 1;
  if (*digits == '+') ++digits;
  std::from_chars(digits, end, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(shortest);
  const auto fixed_end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string fixed(buffer, fixed_end);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

Text repr(Runtime& runtime, const Value& value) {
  ReprPrinter printer(runtime);
  printer.print(value);
  return printer.finish();
}

Text ascii_repr(Runtime& runtime, const Value& value) {
  const Text shown = repr(runtime, value);
  std::string out;
  for (std::size_t at = 0; at < shown.size();) {
    const Character c = character_at(shown.bytes(), at);
    if (c.code < 0x80) {
      out += shown.bytes()[at];
    } else {
      append_escape(out, c.code);
    }
    at += c.length;
  }
  return Text(out, shown.from_message());
}

Text to_text(Runtime& runtime, const Value& value) {
  if (const Text* text = value.text()) return *text;
  if (value.is_undefined()) return Text();
  return repr(runtime, value);
}

Text to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
  JsonPrinter printer(runtime, style);
  printer.print(value);
  return printer.finish();
}

}  // namespace partita::internal::jinja
