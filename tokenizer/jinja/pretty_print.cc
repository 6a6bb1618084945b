// The filter pprint: repr() with sorted keys, broken into lines of at most 80 characters, as Python's pprint.
#include <algorithm>
#include <utility>

#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {
namespace {

constexpr std::size_t kWidth = 80;

/// Dicts in lists in dicts: the text of each, on one line or on several.
class PrettyPrinter {
 public:
  explicit PrettyPrinter(Runtime& runtime) : runtime_(runtime) {}

  Text run(const Value& value) {
    format(value, 0, 0, 1);
    return Text(out_, from_message_);
  }

 private:
  using Items = std::vector<const Dict::Item*>;

  /// `indent`: the column, `allowance`: characters that follow on the line, `level`: 1 outside all brackets.
  void format(const Value& value, std::size_t indent, std::size_t allowance, int level) {
    const std::string flat = one_line(value);
    if (character_count(flat) + indent + allowance <= kWidth) {
      out_ += flat;
    } else if (value.dict() != nullptr) {
      format_dict(*value.dict(), indent, allowance, level);
    } else if (value.sequence() != nullptr && value.sequence()->is_list_or_tuple()) {
      format_items(*value.sequence(), indent, allowance, level);
    } else if (value.text() != nullptr) {
      format_text(value.text()->bytes(), indent, allowance, level, flat);
    } else {
      out_ += flat;
    }
    runtime_.check_text_size(out_.size());
  }

  void format_dict(const Dict& dict, std::size_t indent, std::size_t allowance, int level) {
    const Items items = sorted_items(dict);
    out_ += '{';
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string key = one_line(items[i]->first);
      out_ += key + ": ";
      const bool last = i + 1 == items.size();
      format(items[i]->second, indent + 1 + character_count(key) + 2, last ? allowance + 1 : 1, level + 1);
      if (!last) new_line(",", indent + 1);
    }
    out_ += '}';
  }

  void format_items(const Sequence& sequence, std::size_t indent, std::size_t allowance, int level) {
    const bool list = sequence.kind == SequenceKind::kList;
    const std::string close = list ? "]" : sequence.items.size() == 1 ? ",)" : ")";
    out_ += list ? '[' : '(';
    for (std::size_t i = 0; i < sequence.items.size(); ++i) {
      const bool last = i + 1 == sequence.items.size();
      format(sequence.items[i], indent + 1, last ? allowance + close.size() : 1, level + 1);
      if (!last) new_line(",", indent + 1);
    }
    out_ += close;
  }

  void format_text(const std::string& bytes, std::size_t indent, std::size_t allowance, int level,
                   const std::string& flat) {
    if (bytes.empty()) {
      out_ += flat;
      return;
    }
    if (level == 1) ++indent, ++allowance;
    const std::vector<std::string> chunks = chunks_of(bytes, kWidth - std::min(indent, kWidth), allowance);
    if (chunks.size() == 1) {
      out_ += chunks[0];
      return;
    }
    if (level == 1) out_ += '(';
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      if (i > 0) new_line("", indent);
      out_ += chunks[i];
    }
    if (level == 1) out_ += ')';
  }

  // The lines of a text, and their parts where a line is longer than `width` characters.
  std::vector<std::string> chunks_of(const std::string& bytes, std::size_t width, std::size_t allowance) {
    std::vector<std::string> chunks;
    const std::size_t reduced = width - std::min(allowance, width);
    const std::vector<Range> lines = line_ranges(bytes, true);
    for (const Range& line : lines) {
      const bool last = &line == &lines.back();
      std::string whole = quoted(bytes.substr(line.begin, line.end - line.begin));
      if (character_count(whole) <= (last ? reduced : width)) {
        chunks.push_back(std::move(whole));
      } else {
        add_parts(chunks, bytes, line, width, last ? reduced : width);
      }
    }
    return chunks;
  }

  void add_parts(std::vector<std::string>& chunks, const std::string& bytes, Range line, std::size_t width,
                 std::size_t last_width) {
    std::string current;
    for (std::size_t at = line.begin; at < line.end;) {
      const std::size_t end = end_of_word_and_spaces(bytes, at, line.end);
      const std::string part = bytes.substr(at, end - at);
      if (character_count(quoted(current + part)) > (end == line.end ? last_width : width)) {
        if (!current.empty()) chunks.push_back(quoted(current));
        current = part;
      } else {
        current += part;
      }
      at = end;
    }
    if (!current.empty()) chunks.push_back(quoted(current));
  }

  static std::size_t end_of_word_and_spaces(const std::string& bytes, std::size_t at, std::size_t end) {
    for (const bool space : {false, true}) {
      while (at < end) {
        const Character c = character_at(bytes, at);
        if (is_space(c.code) != space) break;
        at += c.length;
      }
    }
    return at;
  }

  std::string quoted(const std::string& bytes) {
    runtime_.walk(bytes.size());
    return repr(runtime_, runtime_.text(bytes, false)).bytes();
  }

  /// repr() with sorted keys.
  std::string one_line(const Value& value) {
    runtime_.step();
    const Sequence* sequence = value.sequence();
    std::string out;
    if (const Dict* dict = value.dict()) {
      for (const Dict::Item* item : sorted_items(*dict)) {
        out += (out.empty() ? "" : ", ") + one_line(item->first) + ": " + one_line(item->second);
      }
      out = "{" + out + "}";
    } else if (sequence != nullptr && sequence->is_list_or_tuple()) {
      for (const Value& item : sequence->items) out += (out.empty() ? "" : ", ") + one_line(item);
      const bool list = sequence->kind == SequenceKind::kList;
      out = list ? "[" + out + "]" : "(" + out + (sequence->items.size() == 1 ? ",)" : ")");
    } else {
      const Text text = repr(runtime_, value);
      from_message_ = from_message_ || text.from_message();
      out = text.bytes();
    }
    runtime_.touch(out.size());
    runtime_.check_text_size(out.size());
    return out;
  }

  // By key; keys of different types by the names of their types.
  Items sorted_items(const Dict& dict) {
    Items items;
    for (const Dict::Item& item : dict.items()) items.push_back(&item);
    std::stable_sort(items.begin(), items.end(), [this](const Dict::Item* a, const Dict::Item* b) {
      const Value &x = a->first, &y = b->first;
      const bool comparable = (x.text() && y.text()) || (x.number() && y.number());
      return comparable ? less(runtime_, x, y) : type_name(x) < type_name(y);
    });
    return items;
  }

  void new_line(const char* before, std::size_t indent) {
    out_ += before;
    out_ += '\n';
    out_.append(indent, ' ');
    runtime_.step();
    runtime_.check_text_size(out_.size());
  }

  Runtime& runtime_;
  std::string out_;
  bool from_message_ = false;
};

Value pretty_printed(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "pprint", arguments, {});
  return runtime.text(PrettyPrinter(runtime).run(input));
}

}  // namespace

const std::vector<NamedFilter>& pretty_filters() {
  static const std::vector<NamedFilter> filters = {{"pprint", pretty_printed}};
  return filters;
}

}  // namespace partita::internal::jinja
