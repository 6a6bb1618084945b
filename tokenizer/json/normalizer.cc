#include "tokenizer/json/normalizer.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/json/character_map.h"
#include "tokenizer/json/characters.h"
#include "tokenizer/json/json_expression.h"
#include "tokenizer/json/text_limit.h"
#include "tokenizer/models/byte_alphabet.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Pointer = std::unique_ptr<Normalizer>;

/// A normalizer that changes each character on its own: each(code, bytes, out) appends what it becomes.
template <class Each>
class CharacterNormalizer final : public Normalizer {
 public:
  explicit CharacterNormalizer(Each each) : each_(each) {}
  Result<void> change(std::string& text, std::size_t) const override {
    std::string out;
    out.reserve(text.size());
    for_each_character(text, [&](std::int32_t code, std::string_view bytes) { each_(code, bytes, out); });
    text.swap(out);
    return {};
  }

 private:
  Each each_;
};

template <class Each>
Pointer of_characters(Each each) {
  return std::make_unique<CharacterNormalizer<Each>>(each);
}

class Sequence final : public Normalizer {
 public:
  explicit Sequence(std::vector<Pointer> steps) : steps_(std::move(steps)) {}
  Result<void> change(std::string& text, std::size_t limit) const override {
    for (const Pointer& step : steps_) TRY(step->normalize(text, limit));
    return {};
  }

 private:
  std::vector<Pointer> steps_;
};

class Form final : public Normalizer {
 public:
  explicit Form(NormalForm form) : form_(form) {}
  Result<void> change(std::string& text, std::size_t) const override { return to_normal_form(form_, text); }

 private:
  NormalForm form_;
};

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  Result<void> change(std::string& text, std::size_t) const override {
    std::string_view rest = text;
    while (left_ && !rest.empty() && is_white_space(first_character(rest).code))
      rest.remove_prefix(first_character(rest).length);
    while (right_ && !rest.empty() && is_white_space(last_character(rest).code))
      rest.remove_suffix(last_character(rest).length);
    if (rest.size() != text.size()) text = std::string(rest);
    return {};
  }

 private:
  bool left_, right_;
};

class Replace final : public Normalizer {
 public:
  Replace(JsonExpression pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  Result<void> change(std::string& text, std::size_t limit) const override {
    std::vector<Stretch> stretches;
    TRY(pattern_.find(text, stretches));
    std::string out;
    for (const Stretch& stretch : stretches) {
      if (out.size() > limit) break;
      if (stretch.is_match) {
        out += content_;
      } else {
        out.append(text, stretch.begin, stretch.end - stretch.begin);
      }
    }
    text.swap(out);
    return {};
  }

 private:
  JsonExpression pattern_;
  std::string content_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  Result<void> change(std::string& text, std::size_t) const override {
    if (!text.empty()) text.insert(0, prefix_);
    return {};
  }

 private:
  std::string prefix_;
};

class Bert final : public Normalizer {
 public:
  explicit Bert(ComponentFields& fields)
      : clean_text_(fields.flag("clean_text", true)),
        spaces_chinese_(fields.flag("handle_chinese_chars", true)),
        lowercase_(fields.flag("lowercase", true)),
        strips_accents_(fields.flag("strip_accents", lowercase_)) {}

  Result<void> change(std::string& text, std::size_t) const override {
    std::string out;
    for_each_character(text, [&](std::int32_t code, std::string_view bytes) { add_clean(code, bytes, out); });
    if (strips_accents_) TRY(to_normal_form(NormalForm::kNfd, out));
    text.clear();
    for_each_character(out, [&](std::int32_t code, std::string_view bytes) {
      if (strips_accents_ && is_nonspacing_mark(code)) return;
      lowercase_ ? append_lowercase(code, text) : void(text += bytes);
    });
    return {};
  }

 private:
  void add_clean(std::int32_t code, std::string_view bytes, std::string& out) const {
    constexpr std::int32_t kReplacement = 0xFFFD;
    if (clean_text_ && (code == 0 || code == kReplacement || is_control(code))) return;
    const bool is_spaced = spaces_chinese_ && is_cjk_ideograph(code);
    if (is_spaced) out += ' ';
    out += clean_text_ && is_white_space(code) ? std::string_view(" ") : bytes;
    if (is_spaced) out += ' ';
  }

  bool clean_text_, spaces_chinese_, lowercase_, strips_accents_;
};

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(CharacterMap map) : map_(std::move(map)) {}
  Result<void> change(std::string& text, std::size_t limit) const override {
    map_.normalize(text, limit);
    return {};
  }

 private:
  CharacterMap map_;
};

/// The rules of sentencepiece's nmt tables that are not normal forms.
void append_nmt(std::int32_t code, std::string_view bytes, std::string& out) {
  const bool is_removed = (code >= 1 && code <= 8) || code == 0xB || (code >= 0xE && code <= 0x1F) ||
                          code == 0x7F || code == 0x8F || code == 0x9F;
  if (is_removed) return;
  const bool is_space = code == 9 || code == 0xA || code == 0xC || code == 0xD || code == 0x1680 ||
                        (code >= 0x200B && code <= 0x200F) || code == 0x2028 || code == 0x2029 ||
                        code == 0x2581 || code == 0xFEFF || code == 0xFFFD;
  out += is_space ? std::string_view(" ") : bytes;
}

Pointer read_sequence(ComponentFields& fields) {
  std::vector<Pointer> steps;
  for (const nlohmann::json& step : fields.steps("normalizers")) {
    steps.push_back(read_normalizer(fields.inner(step)));
    if (steps.back() == nullptr) return nullptr;
  }
  return std::make_unique<Sequence>(std::move(steps));
}

template <NormalForm kForm>
Pointer read_form(ComponentFields&) {
  return std::make_unique<Form>(kForm);
}

Pointer read_lowercase(ComponentFields&) {
  return of_characters(
      [](std::int32_t code, std::string_view, std::string& out) { append_lowercase(code, out); });
}

Pointer read_strip_accents(ComponentFields&) {
  return of_characters([](std::int32_t code, std::string_view bytes, std::string& out) {
    if (!is_mark(code)) out += bytes;
  });
}

Pointer read_nmt(ComponentFields&) { return of_characters(append_nmt); }

Pointer read_byte_level(ComponentFields&) {
  return of_characters([](std::int32_t, std::string_view bytes, std::string& out) {
    for (const char byte : bytes) out += byte_spelling(static_cast<std::uint8_t>(byte));
  });
}

Pointer read_strip(ComponentFields& fields) {
  return std::make_unique<Strip>(fields.flag("strip_left"), fields.flag("strip_right"));
}

Pointer read_replace(ComponentFields& fields) {
  JsonExpression pattern = JsonExpression::read(fields);
  return std::make_unique<Replace>(std::move(pattern), fields.text("content"));
}

Pointer read_prepend(ComponentFields& fields) { return std::make_unique<Prepend>(fields.text("prepend")); }

Pointer read_bert(ComponentFields& fields) { return std::make_unique<Bert>(fields); }

Pointer read_precompiled(ComponentFields& fields) {
  auto map = CharacterMap::from_base64(fields.text("precompiled_charsmap", ""));
  if (map) return std::make_unique<Precompiled>(*std::move(map));
  fields.fail_key("precompiled_charsmap", "is not a table of SentencePiece in base64");
  return nullptr;
}

struct Kind {
  std::string_view type;
  Pointer (*read)(ComponentFields& fields);
};

constexpr std::array kKinds = {
    Kind{"Sequence", read_sequence},
    Kind{"NFC", read_form<NormalForm::kNfc>},
    Kind{"NFD", read_form<NormalForm::kNfd>},
    Kind{"NFKC", read_form<NormalForm::kNfkc>},
    Kind{"NFKD", read_form<NormalForm::kNfkd>},
    Kind{"Lowercase", read_lowercase},
    Kind{"Strip", read_strip},
    Kind{"StripAccents", read_strip_accents},
    Kind{"Replace", read_replace},
    Kind{"Prepend", read_prepend},
    Kind{"BertNormalizer", read_bert},
    Kind{"Nmt", read_nmt},
    Kind{"Precompiled", read_precompiled},
    Kind{"ByteLevel", read_byte_level},
};

}  // namespace

Result<void> Normalizer::normalize(std::string& text, std::size_t limit) const {
  TRY(change(text, limit));
  return check_grown(text.size(), limit);
}

std::unique_ptr<Normalizer> read_normalizer(ComponentFields fields) { return read_kind(fields, kKinds); }

}  // namespace partita::internal
