// Filters from string to string.
#include <algorithm>

#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/format.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/print.h"
#include "tokenizer/jinja/text_edits.h"

namespace partita::internal::jinja {
namespace {

/// The input as a string; counts the work of visiting each character.
Text characters_of(Runtime& runtime, const Value& input) {
  Text text = to_text(runtime, input);
  runtime.walk(text.footprint());
  return text;
}

Value mapped(Runtime& runtime, const Value& input, Text (*map)(const Text&)) {
  return runtime.text(map(characters_of(runtime, input)));
}

Value upper(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "upper", arguments, {});
  return mapped(runtime, input, to_upper);
}

Value lower(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "lower", arguments, {});
  return mapped(runtime, input, to_lower);
}

Value capitalize_filter(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "capitalize", arguments, {});
  return mapped(runtime, input, capitalize);
}

// Jinja's title case: unlike in str.title(), a word begins after white space or one of -({[<.
Value title(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "title", arguments, {});
  bool begins = true;
  return runtime.text(map_characters(characters_of(runtime, input).set_safe(false), [&begins](char32_t code) {
    const bool separates =
        is_space(code) ||
        (code < 0x80 && std::string_view("-({[<").find(static_cast<char>(code)) != std::string_view::npos);
    const char32_t mapped = separates ? code : begins ? upper_of(code) : lower_of(code);
    begins = separates;
    return mapped;
  }));
}

Value trim(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "trim", arguments, {"chars"});
  const Text* chars = p.given(0) ? &p.text(0) : nullptr;
  return strip_text(runtime, to_text(runtime, input), chars, true, true);
}

Value replace(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t limit = p.given(2) ? p.integer(2, -1) : -1;
  return replace_text(runtime, to_text(runtime, input), to_text(runtime, p[0]), to_text(runtime, p[1]),
                      limit);
}

Value string(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "string", arguments, {});
  return input.text() ? input : runtime.text(to_text(runtime, input));
}

Value safe(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "safe", arguments, {});
  return runtime.text(to_text(runtime, input).set_safe(true));
}

Value force_escape(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "escape", arguments, {});
  const Text text = characters_of(runtime, input);
  runtime.check_text_size(text.size() * 5);  // "&#34;" for each byte
  return runtime.text(escaped(text));
}

Value escape(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const bool done = input.text() != nullptr && input.text()->safe();
  return done ? string(runtime, input, arguments) : force_escape(runtime, input, arguments);
}

Value indent(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "indent", arguments, {"width", "first", "blank"});
  const Text* source = input.text();
  if (source == nullptr) runtime.type_error("indent needs a str, not " + std::string(type_name(input)));
  Text indentation;
  if (p.has(0) && p[0].text()) {
    indentation = *p[0].text();
  } else {
    const std::int64_t width = std::max<std::int64_t>(p.integer(0, 4), 0);
    runtime.check_text_size(static_cast<std::size_t>(width));
    indentation = Text(std::string(static_cast<std::size_t>(width), ' '), false);
  }
  Text text = *source;
  text.append("\n", false);
  runtime.walk(text.footprint());
  Text out;
  out.set_safe(source->safe());
  if (p.flag(1, false)) out.append(indentation);
  bool first = true;
  for (const Range line : line_ranges(text.bytes(), false)) {
    if (!first) {
      out.append("\n", false);
      if (line.begin < line.end || p.flag(2, false)) out.append(indentation);
    }
    first = false;
    runtime.step();
    runtime.check_text_size(out.size() + indentation.size() + (line.end - line.begin) + 1);
    runtime.touch(indentation.footprint());
    out.append(text, line.begin, line.end);
  }
  return runtime.text(std::move(out));
}

Value center(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "center", arguments, {"width"});
  const Arguments method_arguments{{Value(p.integer(0, 80))}, {}};
  const Value text = runtime.text(to_text(runtime, input));
  return find_method(runtime, text, "center")->object()->callable()->call(runtime, method_arguments);
}

Value format(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Text pattern = to_text(runtime, input);
  if (arguments.named.empty()) {
    return percent_format(runtime, pattern, runtime.sequence(SequenceKind::kTuple, arguments.positional));
  }
  if (!arguments.positional.empty()) {
    runtime.type_error("format takes either positional or named arguments, not both");
  }
  Dict dict;
  for (const auto& [name, value] : arguments.named) {
    runtime.touch_text(value);
    dict.set(runtime.text(name, false), value);
  }
  return percent_format(runtime, pattern, runtime.dict(std::move(dict)));
}

std::string separator(Runtime& runtime, const Value& pair, std::size_t i) {
  const Sequence* sequence = pair.sequence();
  if (sequence == nullptr || sequence->items.size() != 2 || sequence->items[i].text() == nullptr) {
    runtime.type_error("tojson: argument 'separators' must be a pair of str");
  }
  return sequence->items[i].text()->bytes();
}

Value tojson(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = p.flag(0, false);
  style.sort_keys = p.flag(3, false);
  if (p.given(1)) {
    style.item_separator = ",";
    if (p[1].text()) {
      style.indent = p[1].text()->bytes();
    } else {
      const std::int64_t width = std::max<std::int64_t>(p.integer(1, 0), 0);
      runtime.check_text_size(static_cast<std::size_t>(width));
      style.indent = std::string(static_cast<std::size_t>(width), ' ');
    }
  }
  if (p.given(2)) {
    style.item_separator = separator(runtime, p[2], 0);
    style.key_separator = separator(runtime, p[2], 1);
  }
  return runtime.text(to_json(runtime, input, style));
}

}  // namespace

const std::vector<NamedFilter>& text_filters() {
  static const std::vector<NamedFilter> filters = {
      {"upper", upper},
      {"lower", lower},
      {"capitalize", capitalize_filter},
      {"title", title},
      {"trim", trim},
      {"replace", replace},
      {"string", string},
      {"safe", safe},
      {"escape", escape},
      {"e", escape},
      {"forceescape", force_escape},
      {"indent", indent},
      {"center", center},
      {"format", format},
      {"tojson", tojson},
  };
  return filters;
}

}  // namespace partita::internal::jinja
