#include "tokenizer/pre/expression.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "tokenizer/pcre2_handles.h"
#include "tokenizer/pre/unicode.h"
#include "weights/catch_all.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

// --- character classes ---------------------------------------------------------------

/// PCRE2's \s also has U+180E, which is not a space since Unicode 6.3. Source: PropList.txt.
constexpr std::string_view kSpaces =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

/// Numbers of Unicode 17, which tokenizers 0.23's own classes have and PCRE2's lack.
constexpr std::string_view kNumbersOf17 = R"(\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6})";

/// The contents of a bracket expression for \p{property}.
std::string class_contents(std::string_view property) {
  if (property == "Han") return std::string(additions_of(property));  // PCRE2's has script extensions too
  if (property == "Numeric") return class_contents("N").append(kNumbersOf17);
  return std::string("\\p{").append(property).append("}").append(additions_of(property));
}

/// Replaces the escapes of classes by their contents.
class Expander {
 public:
  explicit Expander(std::string_view shorthand) : rest_(shorthand) {}

  std::string run() {
    while (!rest_.empty()) {
      if (rest_.size() > 1 && rest_[0] == '\\') {
        expand_escape();
      } else {
        in_brackets_ = rest_[0] == '[' || (in_brackets_ && rest_[0] != ']');
        take(1);
      }
    }
    return std::move(pattern_);
  }

 private:
  void expand_escape() {
    const std::size_t close = rest_.find('}');
    if (rest_[1] == 's') return replace(2, kSpaces, false);
    if (rest_[1] == 'S') return replace(2, kSpaces, true);
    if (rest_[1] == 'd') return replace(2, class_contents("Nd"), false);
    if (rest_.starts_with("\\p{") && close != std::string_view::npos) {
      return replace(close + 1, class_contents(rest_.substr(3, close - 3)), false);
    }
    take(2);
  }

  void replace(std::size_t length, std::string_view contents, bool negated) {
    if (!in_brackets_) pattern_ += negated ? "[^" : "[";
    pattern_ += contents;
    if (!in_brackets_) pattern_ += ']';
    rest_.remove_prefix(length);
  }

  void take(std::size_t length) {
    pattern_ += rest_.substr(0, length);
    rest_.remove_prefix(length);
  }

  std::string_view rest_;
  std::string pattern_;
  bool in_brackets_ = false;
};

// --- PCRE2 ------------------------------------------------------------------------------------------

/// Limits far above what the expressions need: each visits a character a few times at most.
MatchContext limits_for(std::size_t bytes) {
  MatchContext context(pcre2_match_context_create(nullptr));
  if (context == nullptr) return context;
  pcre2_set_match_limit(context.get(), static_cast<std::uint32_t>(std::min<std::size_t>(
                                           1000 + 16 * bytes, std::uint32_t{0xFFFFFFFF})));
  pcre2_set_depth_limit(context.get(), 1000);
  return context;
}

}  // namespace

struct Expression::Impl {
  Pcre2Code code;
};

Expression::Expression(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;
Expression::~Expression() = default;

Result<Expression> Expression::compile(std::string_view pattern) {
  const std::string expanded = Expander(pattern).run();
  int error = 0;
  PCRE2_SIZE offset = 0;
  Pcre2Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expanded.data()), expanded.size(),
                               PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK, &error, &offset, nullptr));
  if (code == nullptr && error == PCRE2_ERROR_HEAP_FAILED) return out_of_memory();
  if (code == nullptr) {
    return Error{ErrorCode::kUnsupported, "PCRE2 cannot compile the pre-tokenizer's expression (error " +
                                              std::to_string(error) + " at " + std::to_string(offset) + ")"};
  }
  pcre2_jit_compile(code.get(),
                    PCRE2_JIT_COMPLETE);  // if the JIT is not available, PCRE2 interprets the pattern
  return Expression(std::make_unique<Impl>(Impl{std::move(code)}));
}

Result<void> Expression::split(std::string_view text, std::vector<std::string_view>& words) const {
  const MatchData data(pcre2_match_data_create(1, nullptr));
  const MatchContext limits = limits_for(text.size());
  if (data == nullptr || limits == nullptr) return out_of_memory();
  const auto* const subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    const int found = pcre2_match(impl_->code.get(), subject, text.size(), at,
                                  PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, data.get(), limits.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found == PCRE2_ERROR_NOMEMORY) return out_of_memory();
    if (found < 0) {
      return Error{ErrorCode::kUnsupported, "splitting the text into words failed at byte " +
                                                std::to_string(at) + " (PCRE2 error " +
                                                std::to_string(found) + ")"};
    }
    const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(data.get());
    if (bounds[0] > at) words.push_back(text.substr(at, bounds[0] - at));
    words.push_back(text.substr(bounds[0], bounds[1] - bounds[0]));
    at = bounds[1];
  }
  if (at < text.size()) words.push_back(text.substr(at));
  return {};
}

}  // namespace partita::internal
