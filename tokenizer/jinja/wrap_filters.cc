// Filters that shorten text and break it into lines: truncate and wordwrap.
#include <algorithm>
#include <utility>

#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/operators.h"

namespace partita::internal::jinja {
namespace {

Value truncated(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::int64_t length = p.integer(0, 255);
  const Text dots("...", false);
  const Text& end = p.has(2) ? p.text(2) : dots;
  const std::int64_t leeway = p.given(3) ? p.integer(3, 5) : 5;
  const auto end_length = static_cast<std::int64_t>(character_count(end.bytes()));
  if (length < end_length || leeway < 0) {
    runtime.type_error("truncate needs a length of at least that of its end, and a leeway of at least 0");
  }
  runtime.touch_text(input);
  const auto size = length_of(input);
  if (!size) runtime.type_error("truncate needs a str, not " + std::string(type_name(input)));
  if (*size - leeway <= length) return input;
  if (input.text() == nullptr)
    runtime.type_error("truncate needs a str, not " + std::string(type_name(input)));
  const Text& text = *input.text();
  runtime.walk(text.size());
  const std::vector<std::size_t> offsets = character_offsets(text.bytes());
  std::size_t kept = offsets[static_cast<std::size_t>(length - end_length)];
  if (!p.flag(1, false) && kept > 0) {
    const std::size_t space = std::string_view(text.bytes()).substr(0, kept).rfind(' ');
    if (space != std::string_view::npos) kept = space;
  }
  Text out = text.slice(0, kept);
  if (text.safe())
    return binary(runtime, BinaryOperator::kAdd, runtime.text(std::move(out)), runtime.text(end));
  out.append(end);
  return runtime.text(std::move(out));
}

/// Breaks one line without line ends into lines of at most `width` characters, as Python's textwrap does.
class LineWrapper {
 public:
  LineWrapper(const Text& text, Range line, std::size_t width, bool breaks_words, bool at_hyphens)
      : width_(width), breaks_words_(breaks_words), at_hyphens_(at_hyphens) {
    for (std::size_t at = line.begin; at < line.end;) {
      const Character c = character_at(text.bytes(), at);
      codes_.push_back(c.code);
      offsets_.push_back(at);
      at += c.length;
    }
    offsets_.push_back(line.end);
  }

  /// The lines, as ranges of bytes of the text.
  std::vector<Range> run() {
    split();
    std::vector<Range> lines;
    for (std::size_t next = 0; next < chunks_.size();) {
      if (!lines.empty() && blank(chunks_[next])) ++next;
      if (auto line = take_line(next); line.begin < line.end) {
        lines.push_back({offsets_[line.begin], offsets_[line.end]});
      }
    }
    return lines;
  }

 private:
  // Chunks are ranges of characters. The chunks of a line follow one another, so that a line is a range too.
  Range take_line(std::size_t& next) {
    if (next == chunks_.size()) return {0, 0};
    const std::size_t begin = chunks_[next].begin;
    std::size_t end = begin, last = begin;  // last: where the line's last chunk begins
    const auto length = [&] { return end - begin; };
    while (next < chunks_.size() && length() + size(chunks_[next]) <= width_) {
      last = chunks_[next].begin;
      end = chunks_[next++].end;
    }
    if (next < chunks_.size() && size(chunks_[next]) > width_) {
      if (breaks_words_) {
        last = end;
        end = end_of_part(chunks_[next], width_ - length());
        chunks_[next].begin = end;
        if (size(chunks_[next]) == 0) ++next;
      } else if (length() == 0) {
        last = chunks_[next].begin;
        end = chunks_[next++].end;
      }
    }
    if (last < end && blank({last, end})) end = last;
    return {begin, end};
  }

  // Where a word is cut that is too long for a line with `room` characters left: after its last hyphen there,
  // if something else comes before it.
  std::size_t end_of_part(Range chunk, std::size_t room) const {
    const std::size_t limit = std::min(chunk.begin + room, chunk.end);
    if (at_hyphens_ && size(chunk) > room) {
      for (std::size_t at = limit; at-- > chunk.begin + 1;) {
        if (codes_[at] != U'-') continue;
        const auto first = codes_.begin() + static_cast<std::ptrdiff_t>(chunk.begin);
        const auto hyphen = codes_.begin() + static_cast<std::ptrdiff_t>(at);
        const bool other = std::any_of(first, hyphen, [](char32_t c) { return c != U'-'; });
        return other ? at + 1 : limit;
      }
    }
    return limit;
  }

  void split() {
    for (std::size_t at = 0; at < codes_.size();) {
      const std::size_t end = is_blank(at)  ? end_of_blanks(at)
                              : at_hyphens_ ? end_of_chunk(at)
                                            : end_of_word(at);
      chunks_.push_back({at, end});
      at = end;
    }
  }

  std::size_t end_of_blanks(std::size_t at) const {
    while (at < codes_.size() && is_blank(at)) ++at;
    return at;
  }
  std::size_t end_of_word(std::size_t at) const {
    while (at < codes_.size() && !is_blank(at)) ++at;
    return at;
  }

  // A dash of several hyphens between words, or a word up to its first hyphen between letters, a dash or its
  // end.
  std::size_t end_of_chunk(std::size_t at) const {
    if (at > 0 && is_dash(at)) return end_of_hyphens(at);
    for (std::size_t end = at + 1; end < codes_.size() && !is_blank(end); ++end) {
      if (codes_[end] == U'-' && splits_word(end)) return end + 1;
      if (is_dash(end)) return end;
    }
    return end_of_word(at);
  }

  std::size_t end_of_hyphens(std::size_t at) const {
    while (at < codes_.size() && codes_[at] == U'-') ++at;
    return at;
  }
  // Two hyphens or more that begin at `at`, between punctuation or a letter and a letter.
  bool is_dash(std::size_t at) const {
    if (codes_[at] != U'-' || !ends_word(at - 1)) return false;
    const std::size_t end = end_of_hyphens(at);
    return end - at >= 2 && is_word(end);
  }
  bool splits_word(std::size_t hyphen) const {
    const bool before =
        (is_letter(hyphen - 1) && hyphen >= 2 && is_letter(hyphen - 2)) ||
        (is_letter(hyphen - 1) && hyphen >= 3 && codes_[hyphen - 2] == U'-' && is_letter(hyphen - 3));
    const std::size_t next = hyphen + 1;
    const std::size_t second = next + 1 < codes_.size() && codes_[next + 1] == U'-' ? next + 2 : next + 1;
    return before && is_letter(next) && is_letter(second);
  }

  bool is_blank(std::size_t at) const { return codes_[at] == U' ' || (codes_[at] >= 9 && codes_[at] <= 13); }
  bool is_letter(std::size_t at) const {
    return at < codes_.size() && (is_alpha(codes_[at]) || codes_[at] == U'_');
  }
  bool is_word(std::size_t at) const { return at < codes_.size() && (is_letter(at) || is_digit(codes_[at])); }
  bool ends_word(std::size_t at) const {
    return is_word(at) || std::u32string_view(U"!\"'&.,?").find(codes_[at]) != std::u32string_view::npos;
  }
  bool blank(Range chunk) const {
    for (std::size_t at = chunk.begin; at < chunk.end; ++at) {
      if (!is_space(codes_[at])) return false;
    }
    return true;
  }
  static std::size_t size(Range chunk) { return chunk.end - chunk.begin; }

  std::size_t width_;
  bool breaks_words_, at_hyphens_;
  std::vector<char32_t> codes_;       // of the line's characters
  std::vector<std::size_t> offsets_;  // of the characters in the text, and the line's end
  std::vector<Range> chunks_;
};

Value wrapped(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "wordwrap", arguments,
                     {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  if (input.text() == nullptr)
    runtime.type_error("wordwrap needs a str, not " + std::string(type_name(input)));
  const Text& text = *input.text();
  const std::int64_t width = p.integer(0, 79);
  const Text newline("\n", false);
  const Text& glue = p.given(2) ? p.text(2) : newline;
  const bool at_hyphens = !p.has(3) || (p[3].get<bool>() != nullptr && *p[3].get<bool>());
  const std::size_t held = text.size() * (sizeof(char32_t) + sizeof(std::size_t) + sizeof(Range));
  runtime.reserve(held);
  runtime.walk(4 * text.footprint());
  Text out;
  bool first_line = true;
  for (const Range line : line_ranges(text.bytes(), false)) {
    if (width <= 0) runtime.type_error("the width of wordwrap must be above 0");
    runtime.step();
    LineWrapper wrapper(text, line, static_cast<std::size_t>(width), p.flag(1, true), at_hyphens);
    if (!std::exchange(first_line, false)) out.append(glue);
    bool first = true;
    for (const Range part : wrapper.run()) {
      runtime.step();
      runtime.touch(glue.footprint());
      runtime.check_text_size(out.size() + glue.size() + text.size());
      if (!std::exchange(first, false)) out.append(glue);
      out.append(text, part.begin, part.end);
    }
  }
  runtime.release(held);
  return runtime.text(std::move(out));
}

}  // namespace

const std::vector<NamedFilter>& wrap_filters() {
  static const std::vector<NamedFilter> filters = {{"truncate", truncated}, {"wordwrap", wrapped}};
  return filters;
}

}  // namespace partita::internal::jinja
