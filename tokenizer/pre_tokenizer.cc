#include "tokenizer/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

// --- character classes ---------------------------------------------------------------
//
// The reference implementations match with Oniguruma, whose classes follow Unicode 16. PCRE2's classes follow
// the version it was built with (10.42: Unicode 14), so the code points added since are listed here. PCRE2's
// \s also has U+180E, which is not a space since Unicode 6.3. Sources: DerivedGeneralCategory.txt and
// PropList.txt.

constexpr std::string_view kSpace =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

constexpr std::string_view kLetter =
    R"(\p{L}\x{1c89}\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65})"
    R"(\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e})"
    R"(\x{11390}-\x{113b5}\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10})"
    R"(\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa}\x{16100}-\x{1611d})"
    R"(\x{16d40}-\x{16d6c}\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a}\x{1e030}-\x{1e06d})"
    R"(\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";

constexpr std::string_view kNumber =
    R"(\p{N}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139})"
    R"(\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})";

/// Numbers of Unicode 17, which the reference uses where it splits digits without an expression.
constexpr std::string_view kNumberOf17 = R"(\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6})";

/// Expands the classes: in the expressions below %s, %L, %N and %D stand for the bracket contents of \s,
/// \p{L}, \p{N} and a single digit.
std::string expand(std::string_view shorthand) {
  std::string pattern;
  for (std::size_t i = 0; i < shorthand.size(); ++i) {
    if (shorthand[i] != '%') {
      pattern += shorthand[i];
      continue;
    }
    switch (shorthand[++i]) {
      case 's':
        pattern += kSpace;
        break;
      case 'L':
        pattern += kLetter;
        break;
      case 'D':
        pattern += kNumberOf17;
        [[fallthrough]];
      default:
        pattern += kNumber;
    }
  }
  return pattern;
}

constexpr std::string_view kDigit = "[%D]";
constexpr std::string_view kGpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?[%L]+| ?[%N]+| ?[^%s%L%N]+|[%s]+(?![^%s])|[%s]+";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n%L%N]?[%L]+|[%N]{1,3}| ?[^%s%L%N]+[\r\n]*|[%s]*[\r\n]+|)"
    R"([%s]+(?![^%s])|[%s]+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n%L%N]?[%L]+|[%N]| ?[^%s%L%N]+[\r\n]*|[%s]*[\r\n]+|)"
    R"([%s]+(?![^%s])|[%s]+)";
constexpr std::string_view kPunctuation = R"([\p{P}$+<=>^~|]+)";
constexpr std::string_view kNumbers = "[%N]+";
constexpr std::string_view kThreeDigits = "[0-9][0-9][0-9]";

/// Each expression splits every word of the previous one: its matches are words, and so is the text between
/// them.
struct Scheme {
  std::string_view name;
  std::array<std::string_view, 4> expressions;
  bool ignore_merges = false;
  bool add_bos = false;
};

constexpr std::array kSchemes = {
    Scheme{"smollm", {kDigit, kGpt2}},
    Scheme{"llama-bpe", {kLlama3}, true, true},
    Scheme{"llama3", {kLlama3}, true, true},
    Scheme{"llama-v3", {kLlama3}, true, true},
    Scheme{"qwen2", {kQwen2}},
    Scheme{"gpt-2", {kGpt2}},
    Scheme{"default", {kPunctuation, kGpt2, kNumbers, kThreeDigits}},
};

// --- PCRE2 ------------------------------------------------------------------------------------------

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* thing) const {
    kFree(thing);
  }
};
using Code = std::unique_ptr<pcre2_code, Freed<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freed<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Freed<pcre2_match_context_free>>;

Error no_memory() { return out_of_memory(); }

Result<Code> compile(std::string_view shorthand) {
  const std::string pattern = expand(shorthand);
  int error = 0;
  PCRE2_SIZE offset = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK, &error, &offset, nullptr));
  if (code == nullptr && error == PCRE2_ERROR_HEAP_FAILED) return no_memory();
  if (code == nullptr) {
    return Error{ErrorCode::kUnsupported, "PCRE2 cannot compile the pre-tokenizer's expression (error " +
                                              std::to_string(error) + " at " + std::to_string(offset) + ")"};
  }
  pcre2_jit_compile(code.get(),
                    PCRE2_JIT_COMPLETE);  // if the JIT is not available, PCRE2 interprets the pattern
  return code;
}

/// Limits far above what the expressions need: each visits a character a few times at most.
MatchContext limits_for(std::size_t bytes) {
  MatchContext context(pcre2_match_context_create(nullptr));
  if (context == nullptr) return context;
  pcre2_set_match_limit(context.get(), static_cast<std::uint32_t>(std::min<std::size_t>(
                                           1000 + 16 * bytes, std::uint32_t{0xFFFFFFFF})));
  pcre2_set_depth_limit(context.get(), 1000);
  return context;
}

Result<void> split_by(const pcre2_code* code, std::string_view text, pcre2_match_data* data,
                      pcre2_match_context* limits, std::vector<std::string_view>& words) {
  const auto* const subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    const int found = pcre2_match(code, subject, text.size(), at, PCRE2_NO_UTF_CHECK, data, limits);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found == PCRE2_ERROR_NOMEMORY) return no_memory();
    if (found < 0) {
      return Error{ErrorCode::kUnsupported, "splitting the text into words failed at byte " +
                                                std::to_string(at) + " (PCRE2 error " +
                                                std::to_string(found) + ")"};
    }
    const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(data);
    if (bounds[0] > at) words.push_back(text.substr(at, bounds[0] - at));
    words.push_back(text.substr(bounds[0], bounds[1] - bounds[0]));
    at = bounds[1];
  }
  if (at < text.size()) words.push_back(text.substr(at));
  return {};
}

}  // namespace

struct PreTokenizer::Impl {
  const Scheme* scheme;
  std::vector<Code> stages;
};

PreTokenizer::PreTokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;
PreTokenizer::~PreTokenizer() = default;

Result<PreTokenizer> PreTokenizer::create(std::string_view name) {
  std::string known;
  for (const Scheme& scheme : kSchemes) {
    if (scheme.name != name) {
      known.append(known.empty() ? "" : ", ").append(scheme.name);
      continue;
    }
    auto impl = std::make_unique<Impl>();
    impl->scheme = &scheme;
    for (const std::string_view expression : scheme.expressions) {
      if (expression.empty()) break;
      auto code = compile(expression);
      if (!code) return code.error();
      impl->stages.push_back(std::move(*code));
    }
    return PreTokenizer(std::move(impl));
  }
  return Error{ErrorCode::kUnsupported,
               "tokenizer.ggml.pre is \"" + shortened(name) + "\"; this version knows " + known};
}

Result<void> PreTokenizer::split(std::string_view text, std::vector<std::string_view>& words) const {
  const MatchData data(pcre2_match_data_create(1, nullptr));
  const MatchContext limits = limits_for(text.size());
  if (data == nullptr || limits == nullptr) return no_memory();
  std::vector<std::string_view> whole{text};
  std::vector<std::string_view> parts;
  for (const Code& stage : impl_->stages) {
    parts.clear();
    for (const std::string_view word : whole) {
      TRY(split_by(stage.get(), word, data.get(), limits.get(), parts));
    }
    whole.swap(parts);
  }
  words.insert(words.end(), whole.begin(), whole.end());
  return {};
}

bool PreTokenizer::ignore_merges() const { return impl_->scheme->ignore_merges; }

bool PreTokenizer::add_bos() const { return impl_->scheme->add_bos; }

}  // namespace partita::internal
