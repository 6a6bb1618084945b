#include "tokenizer/json/json_expression.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "tokenizer/json/characters.h"
#include "tokenizer/pcre2_handles.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::size_t kMaxPattern = 16384;  // bytes; the longest in use have some 2,000

std::string message_of(int error) {
  std::string text(256, '\0');
  const int length = pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text.data()), text.size());
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return text;
}

bool continues_character(char byte) { return (static_cast<std::uint8_t>(byte) & 0xC0) == 0x80; }

/// A search in one text: the state of Oniguruma's iterator over matches, which accepts no empty match where
/// the last one ended. PCRE2 sees a window of the text, which doubles until it finds a match without a look
/// at the window's end. So the windows tell how far it looks, and their sum is limited: an expression that
/// looks through the text at each match would take a time that grows with the square of its size.
class Search {
 public:
  Search(const pcre2_code* code, std::string_view text)
      : code_(code),
        text_(text),
        data_(pcre2_match_data_create(1, nullptr)),
        limits_(pcre2_match_context_create(nullptr)) {
    if (limits_ == nullptr) return;
    constexpr std::uint64_t kStepsPerByte = 64, kMaxSteps = 0xFFFFFFFF;
    const std::uint64_t steps = std::min(kMaxSteps, 10000 + kStepsPerByte * text.size());
    pcre2_set_match_limit(limits_.get(), static_cast<std::uint32_t>(steps));
    pcre2_set_depth_limit(limits_.get(), 10000);
  }

  Result<void> run(std::vector<Stretch>& out) {
    if (data_ == nullptr || limits_ == nullptr) return out_of_memory();
    std::size_t covered = 0;
    while (at_ <= text_.size()) {
      const auto found = next();
      if (!found) return found.error();
      if (!*found) break;
      const Stretch match = **found;
      if (match.begin > covered) out.push_back({covered, match.begin, false});
      out.push_back(match);
      covered = match.end;
    }
    if (covered < text_.size()) out.push_back({covered, text_.size(), false});
    return {};
  }

 private:
  /// The next match; none: there are no more.
  Result<std::optional<Stretch>> next() {
    while (at_ <= text_.size()) {
      const int found = match();
      if (found == PCRE2_ERROR_NOMATCH) break;
      if (found == PCRE2_ERROR_NOMEMORY) return out_of_memory();
      if (found < 0) {
        return Error{ErrorCode::kUnsupported,
                     sentence("a regular expression of the tokenizer failed at byte ", at_,
                              " of a text: ", message_of(found))};
      }
      const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(data_.get());
      const Stretch match{bounds[0], std::max(bounds[0], bounds[1]), true};
      if (match.begin == match.end && last_end_ == match.end) {
        at_ += at_ < text_.size() ? first_character(text_.substr(at_)).length : 1;
        continue;
      }
      at_ = match.end;
      last_end_ = match.end;
      return std::optional(match);
    }
    at_ = text_.size() + 1;
    return std::optional<Stretch>();
  }

  int match() {
    for (std::size_t window = kWindow; text_.size() - at_ > window; window *= 2) {
      if (window > kWindow && !spend(window)) return PCRE2_ERROR_MATCHLIMIT;
      std::size_t end = at_ + window;
      while (continues_character(text_[end])) --end;
      const int found = match_before(end, PCRE2_PARTIAL_HARD);
      const bool is_open = found == PCRE2_ERROR_PARTIAL || found == PCRE2_ERROR_NOMATCH;
      // An empty match at the end of a window is not reported as a partial one.
      if (!is_open && (found < 0 || pcre2_get_ovector_pointer(data_.get())[1] < end)) return found;
    }
    const std::size_t rest = text_.size() - at_;
    return rest <= kWindow || spend(rest) ? match_before(text_.size(), 0) : PCRE2_ERROR_MATCHLIMIT;
  }

  int match_before(std::size_t end, std::uint32_t options) {
    const auto* const subject = reinterpret_cast<PCRE2_SPTR>(text_.data());
    options |= PCRE2_NO_UTF_CHECK;
    const int found = pcre2_match(code_, subject, end, at_, options, data_.get(), limits_.get());
    if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    return pcre2_match(code_, subject, end, at_, options | PCRE2_NO_JIT, data_.get(), limits_.get());
  }

  bool spend(std::size_t bytes) {
    if (bytes > budget_) return false;
    budget_ -= bytes;
    return true;
  }

  static constexpr std::size_t kWindow = 4096;  // bytes

  const pcre2_code* code_;
  std::string_view text_;
  MatchData data_;
  MatchContext limits_;
  std::size_t budget_ = (std::size_t{1} << 24) + 64 * text_.size();  // bytes of the next windows
  std::size_t at_ = 0;
  std::optional<std::size_t> last_end_;
};

}  // namespace

struct JsonExpression::Code {
  Pcre2Code compiled;
};

JsonExpression::JsonExpression() = default;
JsonExpression::JsonExpression(JsonExpression&&) noexcept = default;
JsonExpression& JsonExpression::operator=(JsonExpression&&) noexcept = default;
JsonExpression::~JsonExpression() = default;

Result<JsonExpression> JsonExpression::compile(std::string_view pattern, ExpressionSyntax syntax) {
  if (pattern.empty() || pattern.size() > kMaxPattern) {
    return Error{ErrorCode::kUnsupported, sentence("a regular expression has ", pattern.size(),
                                                   " bytes; it must have 1 to ", kMaxPattern)};
  }
  const auto translated = translate_expression(pattern, syntax);
  if (!translated) return translated.error();
  const CompileContext context(pcre2_compile_context_create(nullptr));
  if (context == nullptr) return out_of_memory();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  constexpr std::uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK;
  const std::uint32_t lines = syntax == ExpressionSyntax::kOniguruma ? PCRE2_MULTILINE : PCRE2_DOLLAR_ENDONLY;
  Pcre2Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(),
                               kOptions | lines, &error, &offset, context.get()));
  if (code == nullptr && error == PCRE2_ERROR_HEAP_FAILED) return out_of_memory();
  if (code == nullptr) {
    return Error{ErrorCode::kUnsupported, sentence("the regular expression ", internal::quoted(pattern),
                                                   " cannot be used: ", message_of(error))};
  }
  pcre2_jit_compile(
      code.get(),
      PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);  // without the JIT, PCRE2 interprets the expression
  JsonExpression out;
  out.code_ = std::make_unique<const Code>(Code{std::move(code)});
  return out;
}

JsonExpression JsonExpression::literal(std::string text) {
  JsonExpression out;
  out.literal_ = std::move(text);
  return out;
}

JsonExpression JsonExpression::read(ComponentFields& fields) {
  const nlohmann::json& pattern = fields.object("pattern");
  const auto text_of = [&](const char* key) -> const std::string* {
    const auto found = pattern.find(key);
    return found == pattern.end() ? nullptr : found->get_ptr<const std::string*>();
  };
  if (const std::string* text = text_of("String"); text != nullptr && !text->empty()) return literal(*text);
  if (const std::string* expression = text_of("Regex")) {
    auto compiled = compile(*expression);
    if (compiled) return *std::move(compiled);
    fields.fail(compiled.error().code, sentence(fields.type(), ": ", compiled.error().message));
  }
  fields.fail_key("pattern", "must be {\"String\": TEXT} or {\"Regex\": EXPRESSION}, not empty");
  return literal(" ");
}

Result<void> JsonExpression::find(std::string_view text, std::vector<Stretch>& out) const {
  if (code_ != nullptr) return Search(code_->compiled.get(), text).run(out);
  std::size_t covered = 0;
  for (std::size_t at = text.find(literal_); at != text.npos; at = text.find(literal_, covered)) {
    if (at > covered) out.push_back({covered, at, false});
    covered = at + literal_.size();
    out.push_back({at, covered, true});
  }
  if (covered < text.size()) out.push_back({covered, text.size(), false});
  return {};
}

}  // namespace partita::internal
