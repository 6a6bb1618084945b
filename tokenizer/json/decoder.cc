#include "tokenizer/json/decoder.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "tokenizer/json/characters.h"
#include "tokenizer/json/json_expression.h"
#include "tokenizer/models/byte_alphabet.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

using Pointer = std::unique_ptr<Decoder>;

constexpr std::size_t kMaxGrowth = 64;

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  if (what.empty()) return;
  std::string out;
  std::size_t covered = 0;
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, covered)) {
    out.append(text, covered, at - covered).append(by);
    covered = at + what.size();
  }
  if (covered > 0) text = out.append(text, covered);
}

/// Removes spaces that English text does not have.
void clean_up(std::string& text) {
  using Rule = std::pair<std::string_view, std::string_view>;
  constexpr std::array<Rule, 11> kRules = {{{" .", "."},
                                            {" ?", "?"},
                                            {" !", "!"},
                                            {" ,", ","},
                                            {" ' ", "'"},
                                            {" n't", "n't"},
                                            {" 'm", "'m"},
                                            {" do not", " don't"},
                                            {" 's", "'s"},
                                            {" 've", "'ve"},
                                            {" 're", "'re"}}};
  for (const Rule& rule : kRules) replace_all(text, rule.first, rule.second);
}

class Sequence final : public Decoder {
 public:
  explicit Sequence(std::vector<Pointer> steps) : steps_(std::move(steps)) {}
  void decode(std::vector<std::string>& tokens) const override {
    for (const Pointer& step : steps_) step->decode(tokens);
  }
  std::size_t growth() const override {
    std::size_t growth = 1;
    for (const Pointer& step : steps_) growth = std::min(kMaxGrowth + 1, growth * step->growth());
    return growth;
  }

 private:
  std::vector<Pointer> steps_;
};

class Fuse : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override {
    std::string whole;
    for (const std::string& token : tokens) whole += token;
    tokens.assign(1, whole);
  }
};

class ByteLevel final : public Fuse {
 public:
  void decode(std::vector<std::string>& tokens) const override {
    std::string whole;
    for (const std::string& token : tokens) append_surface(token, whole);
    tokens.assign(1, whole);
  }
};

class Metaspace final : public Decoder {
 public:
  Metaspace(std::int32_t mark, bool prepends) : prepends_(prepends) { append_character(mark, mark_); }
  void decode(std::vector<std::string>& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], mark_, i == 0 && prepends_ ? "" : " ");
  }

 private:
  std::string mark_;
  bool prepends_;
};

class WordPiece final : public Decoder {
 public:
  WordPiece(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void decode(std::vector<std::string>& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i].starts_with(prefix_)) {
        tokens[i].erase(0, prefix_.size());
      } else if (i > 0) {
        tokens[i].insert(0, 1, ' ');
      }
      if (cleanup_) clean_up(tokens[i]);
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class Bpe final : public Decoder {
 public:
  explicit Bpe(std::string suffix) : suffix_(std::move(suffix)) {}
  void decode(std::vector<std::string>& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
  }

 private:
  std::string suffix_;
};

class Ctc final : public Decoder {
 public:
  explicit Ctc(ComponentFields& fields)
      : pad_(fields.text("pad_token")),
        delimiter_(fields.text("word_delimiter_token")),
        cleanup_(fields.flag("cleanup")) {}
  void decode(std::vector<std::string>& tokens) const override {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (std::string& token : tokens) {
      replace_all(token, pad_, "");
      if (!cleanup_) continue;
      clean_up(token);
      replace_all(token, delimiter_, " ");
    }
    std::erase_if(tokens, [](const std::string& token) { return token.empty(); });
  }

 private:
  std::string pad_, delimiter_;
  bool cleanup_;
};

class ByteFallback final : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      if (const auto byte = spelled_byte(token)) token.assign(1, static_cast<char>(*byte));
    }
  }
};

class Strip final : public Decoder {
 public:
  Strip(std::int32_t content, std::size_t start, std::size_t stop) : start_(start), stop_(stop) {
    append_character(content, content_);
  }
  void decode(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (std::size_t i = 0; i < start_ && rest.starts_with(content_); ++i)
        rest.remove_prefix(content_.size());
      for (std::size_t i = 0; i < stop_ && rest.ends_with(content_); ++i) rest.remove_suffix(content_.size());
      if (rest.size() < token.size()) token = std::string(rest);
    }
  }

 private:
  std::string content_;
  std::size_t start_, stop_;
};

class Replace final : public Decoder {
 public:
  Replace(JsonExpression pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void decode(std::vector<std::string>& tokens) const override {
    std::vector<Stretch> stretches;
    for (std::string& token : tokens) {
      stretches.clear();
      // Bytes that are not UTF-8, and tokens on which the expression fails, stay as they are.
      if (valid_prefix(token) < token.size() || !pattern_.find(token, stretches)) continue;
      std::string out;
      for (const Stretch& stretch : stretches) {
        out += stretch.is_match ? std::string_view(content_)
                                : std::string_view(token).substr(stretch.begin, stretch.end - stretch.begin);
      }
      token.swap(out);
    }
  }
  std::size_t growth() const override { return pattern_.growth(content_.size()); }

 private:
  JsonExpression pattern_;
  std::string content_;
};

class SpacesBetween final : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override {
    for (std::size_t i = 1; i < tokens.size(); ++i) tokens[i].insert(0, 1, ' ');
  }
};

Pointer read_sequence(ComponentFields& fields) {
  std::vector<Pointer> steps;
  for (const nlohmann::json& step : fields.steps("decoders")) {
    steps.push_back(read_decoder(fields.inner(step)));
    if (steps.back() == nullptr) return nullptr;
  }
  return std::make_unique<Sequence>(std::move(steps));
}

template <class Made>
Pointer read_plain(ComponentFields&) {
  return std::make_unique<Made>();
}

Pointer read_metaspace(ComponentFields& fields) {
  const std::int32_t mark = fields.character("replacement");
  const bool never = fields.text("prepend_scheme", "always") == "never";
  return std::make_unique<Metaspace>(mark, fields.flag("add_prefix_space", !never) && !never);
}

Pointer read_word_piece(ComponentFields& fields) {
  std::string prefix = fields.text("prefix");
  return std::make_unique<WordPiece>(std::move(prefix), fields.flag("cleanup"));
}

Pointer read_bpe(ComponentFields& fields) { return std::make_unique<Bpe>(fields.text("suffix")); }

Pointer read_ctc(ComponentFields& fields) { return std::make_unique<Ctc>(fields); }

Pointer read_strip(ComponentFields& fields) {
  constexpr std::size_t kMax = std::size_t{1} << 20;
  const std::int32_t content = fields.character("content");
  const std::size_t start = fields.count("start", 0, kMax, std::nullopt);
  return std::make_unique<Strip>(content, start, fields.count("stop", 0, kMax, std::nullopt));
}

Pointer read_replace(ComponentFields& fields) {
  JsonExpression pattern = JsonExpression::read(fields);
  return std::make_unique<Replace>(std::move(pattern), fields.text("content"));
}

struct Kind {
  std::string_view type;
  Pointer (*read)(ComponentFields& fields);
};

constexpr std::array kKinds = {
    Kind{"Sequence", read_sequence},
    Kind{"ByteLevel", read_plain<ByteLevel>},
    Kind{"Metaspace", read_metaspace},
    Kind{"WordPiece", read_word_piece},
    Kind{"BPEDecoder", read_bpe},
    Kind{"CTC", read_ctc},
    Kind{"ByteFallback", read_plain<ByteFallback>},
    Kind{"Fuse", read_plain<Fuse>},
    Kind{"Strip", read_strip},
    Kind{"Replace", read_replace},
};

}  // namespace

std::unique_ptr<Decoder> read_decoder(ComponentFields fields) {
  for (const Kind& kind : kKinds) {
    if (kind.type != fields.type()) continue;
    auto made = kind.read(fields);
    if (!fields.failed() && made->growth() > kMaxGrowth)
      fields.fail(ErrorCode::kUnsupported,
                  sentence("can make a text more than ", kMaxGrowth, " times longer"));
    return fields.failed() ? nullptr : std::move(made);
  }
  fields.fail_unknown();
  return nullptr;
}

std::unique_ptr<Decoder> spaces_between_tokens() { return std::make_unique<SpacesBetween>(); }

}  // namespace partita::internal
