#include "tokenizer/json/pre_tokenizer_component.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/json/characters.h"
#include "tokenizer/json/json_expression.h"
#include "tokenizer/models/byte_alphabet.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Pointer = std::unique_ptr<PreTokenizerComponent>;

class Sequence final : public PreTokenizerComponent {
 public:
  explicit Sequence(std::vector<Pointer> steps) : steps_(std::move(steps)) {}
  Result<void> split(Pieces& pieces) const override {
    for (const Pointer& step : steps_) TRY(step->split(pieces));
    return {};
  }

 private:
  std::vector<Pointer> steps_;
};

/// Splits at characters for which is_separator(code).
template <class IsSeparator>
class AtCharacters final : public PreTokenizerComponent {
 public:
  AtCharacters(SplitBehavior behavior, IsSeparator is_separator)
      : behavior_(behavior), is_separator_(is_separator) {}
  Result<void> split(Pieces& pieces) const override { return pieces.split_at(behavior_, is_separator_); }

 private:
  SplitBehavior behavior_;
  IsSeparator is_separator_;
};

template <class IsSeparator>
Pointer at_characters(SplitBehavior behavior, IsSeparator is_separator) {
  return std::make_unique<AtCharacters<IsSeparator>>(behavior, is_separator);
}

/// Splits at the matches of an expression, or, inverted, at what is between them.
class AtMatches final : public PreTokenizerComponent {
 public:
  AtMatches(JsonExpression expression, SplitBehavior behavior, bool invert)
      : expression_(std::move(expression)), behavior_(behavior), invert_(invert) {}
  Result<void> split(Pieces& pieces) const override {
    return pieces.split(behavior_, [this](std::string_view text, std::vector<Stretch>& out) -> Result<void> {
      TRY(expression_.find(text, out));
      for (Stretch& stretch : out) stretch.is_match = stretch.is_match != invert_;
      return {};
    });
  }

 private:
  JsonExpression expression_;
  SplitBehavior behavior_;
  bool invert_;
};

class ByteLevel final : public PreTokenizerComponent {
 public:
  /// words: splits into words; null: does not split.
  ByteLevel(bool add_prefix_space, Pointer words)
      : add_prefix_space_(add_prefix_space), words_(std::move(words)) {}

  Result<void> split(Pieces& pieces) const override {
    if (add_prefix_space_) {
      TRY(pieces.change([](const Piece& piece, std::string& out) {
        if (!piece.text.starts_with(' ')) out += ' ';
        out += piece.text;
      }));
    }
    if (words_ != nullptr) TRY(words_->split(pieces));
    return pieces.change([](const Piece& piece, std::string& out) {
      for (const char byte : piece.text) out += byte_spelling(static_cast<std::uint8_t>(byte));
    });
  }

 private:
  bool add_prefix_space_;
  Pointer words_;
};

class Metaspace final : public PreTokenizerComponent {
 public:
  enum class Prepend : std::uint8_t { kAlways, kFirst, kNever };

  Metaspace(std::int32_t mark, Prepend prepend, bool split) : code_(mark), prepend_(prepend), split_(split) {
    append_character(mark, mark_);
  }

  Result<void> split(Pieces& pieces) const override {
    TRY(pieces.change([this](const Piece& piece, std::string& out) {
      const bool has_mark = piece.text.starts_with(' ') || piece.text.starts_with(mark_);
      const bool adds = prepend_ == Prepend::kAlways || (prepend_ == Prepend::kFirst && piece.is_first);
      if (adds && !has_mark) out += mark_;
      for (const char byte : piece.text) byte == ' ' ? void(out += mark_) : out.push_back(byte);
    }));
    if (!split_) return {};
    return pieces.split_at(SplitBehavior::kMergedWithNext,
                           [this](std::int32_t code) { return code == code_; });
  }

 private:
  std::int32_t code_;
  std::string mark_;
  Prepend prepend_;
  bool split_;
};

class FixedLength final : public PreTokenizerComponent {
 public:
  explicit FixedLength(std::size_t length) : length_(length) {}
  Result<void> split(Pieces& pieces) const override {
    return pieces.split(SplitBehavior::kIsolated, [this](std::string_view text, std::vector<Stretch>& out) {
      std::size_t count = 0;
      for_each_character(text, [&](std::int32_t, std::string_view bytes) {
        const auto begin = static_cast<std::size_t>(bytes.data() - text.data());
        if (count++ % length_ == 0) out.push_back({begin, begin, true});
        out.back().end = begin + bytes.size();
      });
      return Result<void>();
    });
  }

 private:
  std::size_t length_;
};

SplitBehavior read_behavior(ComponentFields& fields, std::optional<std::string_view> missing) {
  const std::string name = fields.text("behavior", missing);
  constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kNames = {
      {{"Removed", SplitBehavior::kRemoved},
       {"Isolated", SplitBehavior::kIsolated},
       {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
       {"MergedWithNext", SplitBehavior::kMergedWithNext},
       {"Contiguous", SplitBehavior::kContiguous}}};
  for (const auto& [known, behavior] : kNames) {
    if (known == name) return behavior;
  }
  fields.fail_key("behavior", sentence("is ", internal::quoted(name), ", which this version does not know"));
  return SplitBehavior::kIsolated;
}

/// An expression of this file.
Pointer at_matches(ComponentFields& fields, std::string_view pattern, SplitBehavior behavior, bool invert) {
  auto expression = JsonExpression::compile(pattern);
  if (expression) return std::make_unique<AtMatches>(*std::move(expression), behavior, invert);
  fields.fail(expression.error().code, expression.error().message);
  return nullptr;
}

Pointer read_sequence(ComponentFields& fields) {
  std::vector<Pointer> steps;
  for (const nlohmann::json& step : fields.steps("pretokenizers")) {
    steps.push_back(read_pre_tokenizer(fields.inner(step)));
    if (steps.back() == nullptr) return nullptr;
  }
  return std::make_unique<Sequence>(std::move(steps));
}

Pointer read_byte_level(ComponentFields& fields) {
  constexpr std::string_view kGpt2 =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  const bool adds = fields.flag("add_prefix_space");
  Pointer words;
  if (fields.flag("use_regex", true)) words = at_matches(fields, kGpt2, SplitBehavior::kIsolated, false);
  return std::make_unique<ByteLevel>(adds, std::move(words));
}

Pointer read_split(ComponentFields& fields) {
  JsonExpression pattern = JsonExpression::read(fields);
  const SplitBehavior behavior = read_behavior(fields, std::nullopt);
  return std::make_unique<AtMatches>(std::move(pattern), behavior, fields.flag("invert"));
}

Pointer read_whitespace(ComponentFields& fields) {
  // The joiners U+200C and U+200D are word characters here, but not in expressions of a file.
  return at_matches(fields, R"((?:\w|[\x{200c}\x{200d}])+|(?:(?![\w\s\x{200c}\x{200d}])(?m:.))+)",
                    SplitBehavior::kRemoved, true);
}

Pointer read_whitespace_split(ComponentFields&) {
  return at_characters(SplitBehavior::kRemoved, is_white_space);
}

Pointer read_punctuation(ComponentFields& fields) {
  return at_characters(read_behavior(fields, "Isolated"), is_punctuation);
}

Pointer read_digits(ComponentFields& fields) {
  const bool individual = fields.flag("individual_digits");
  return at_characters(individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, is_numeric);
}

Pointer read_metaspace(ComponentFields& fields) {
  const std::int32_t mark = fields.character("replacement");
  const std::string scheme = fields.text("prepend_scheme", "always");
  auto prepend = Metaspace::Prepend::kAlways;
  if (scheme == "first") {
    prepend = Metaspace::Prepend::kFirst;
  } else if (scheme == "never") {
    prepend = Metaspace::Prepend::kNever;
  } else if (scheme != "always") {
    fields.fail_key("prepend_scheme",
                    sentence("is ", internal::quoted(scheme), ", not always, first or never"));
  }
  const bool adds = fields.flag("add_prefix_space", prepend != Metaspace::Prepend::kNever);
  if (!adds && fields.find("prepend_scheme") != nullptr && prepend != Metaspace::Prepend::kNever)
    fields.fail_key("add_prefix_space", "contradicts prepend_scheme");
  if (!adds) prepend = Metaspace::Prepend::kNever;
  return std::make_unique<Metaspace>(mark, prepend, fields.flag("split", true));
}

Pointer read_bert(ComponentFields&) {
  std::vector<Pointer> steps;
  steps.push_back(at_characters(SplitBehavior::kRemoved, is_white_space));
  steps.push_back(at_characters(SplitBehavior::kIsolated, is_punctuation));
  return std::make_unique<Sequence>(std::move(steps));
}

Pointer read_char_delimiter_split(ComponentFields& fields) {
  const std::int32_t delimiter = fields.character("delimiter");
  return at_characters(SplitBehavior::kRemoved, [delimiter](std::int32_t code) { return code == delimiter; });
}

Pointer read_fixed_length(ComponentFields& fields) {
  constexpr std::size_t kMax = std::size_t{1} << 20;
  return std::make_unique<FixedLength>(fields.count("length", 1, kMax, 5));
}

struct Kind {
  std::string_view type;
  Pointer (*read)(ComponentFields& fields);
};

constexpr std::array kKinds = {
    Kind{"Sequence", read_sequence},
    Kind{"ByteLevel", read_byte_level},
    Kind{"Split", read_split},
    Kind{"Whitespace", read_whitespace},
    Kind{"WhitespaceSplit", read_whitespace_split},
    Kind{"Punctuation", read_punctuation},
    Kind{"Digits", read_digits},
    Kind{"Metaspace", read_metaspace},
    Kind{"BertPreTokenizer", read_bert},
    Kind{"CharDelimiterSplit", read_char_delimiter_split},
    Kind{"FixedLength", read_fixed_length},
};

}  // namespace

std::unique_ptr<PreTokenizerComponent> read_pre_tokenizer(ComponentFields fields) {
  return read_kind(fields, kKinds);
}

}  // namespace partita::internal
