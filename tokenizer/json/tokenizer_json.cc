#include "tokenizer/json/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tokenizer/gguf_vocabulary.h"
#include "tokenizer/json/added_tokens.h"
#include "tokenizer/json/decoder.h"
#include "tokenizer/json/model.h"
#include "tokenizer/json/normalizer.h"
#include "tokenizer/json/post_processor.h"
#include "tokenizer/json/pre_tokenizer_component.h"
#include "tokenizer/json/text_limit.h"
#include "tokenizer/models/byte_alphabet.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"
#include "weights/json/reader.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Json = nlohmann::json;

/// What a file consists of.
struct Components {
  std::unique_ptr<const JsonVocabulary> vocabulary;  // on the heap: the model refers to it
  std::unique_ptr<Normalizer> normalizer;            // may be null, as may the next
  std::unique_ptr<PreTokenizerComponent> pre_tokenizer;
  std::unique_ptr<WordModel> model;
  std::unique_ptr<Decoder> decoder;
  AddedTokens added;
  std::unordered_map<TokenId, std::string>
      normal_forms;  // of added tokens, where they are not their spellings
  PromptTemplate around;
  SpecialIds ids;
  bool writes_bytes = false;  // the model sees text in the byte alphabet
};

class JsonTokenizer final : public Tokenizer {
 public:
  explicit JsonTokenizer(Components parts) : parts_(std::move(parts)) {}

  Result<void> encode(std::string_view text, Specials specials, std::vector<TokenId>& out) const override {
    if (text.size() > kMaxText) {
      return Error{ErrorCode::kInvalidArgument,
                   sentence("the text has ", text.size(), " bytes; one call takes at most ", kMaxText)};
    }
    const std::size_t size_before = out.size();
    ModelScratch scratch;
    auto done = split(
        text, specials, [&](std::string_view piece) { return parts_.model->encode(piece, scratch, out); },
        [&](TokenId id) { out.push_back(id); });
    if (!done) out.resize(size_before);
    return done;
  }

  std::size_t dropped_bytes(std::string_view text) const override {
    std::size_t count = 0;
    const auto done = split(
        text, Specials::kAsText,
        [&](std::string_view piece) {
          count += parts_.model->dropped(piece);
          return Result<void>();
        },
        [](TokenId) {});
    return done ? count : 0;
  }

  Result<std::vector<TokenId>> encode_prompt(std::string_view text, Specials specials) const override {
    std::vector<TokenId> out = parts_.around.before;
    TRY(encode(text, specials, out));
    const std::size_t added = parts_.around.before.size();
    const bool repeats_bos = added == 1 && out.size() > 1 && out[1] == out[0] && out[0] == parts_.ids.bos;
    if (repeats_bos && specials == Specials::kParse) out.erase(out.begin());
    out.insert(out.end(), parts_.around.after.begin(), parts_.around.after.end());
    return out;
  }

  /// The text of the token between others.
  std::string piece(TokenId id, bool show_control) const override {
    if (!is_shown(id, show_control)) return {};
    const std::string text = text_of({neighbors_.left, decoded(id), neighbors_.right});
    if (text.size() < neighbors_.bytes) return {};
    return text.substr(neighbors_.left.size(), text.size() - neighbors_.bytes);
  }

  std::string decode(std::span<const TokenId> ids, bool show_control) const override {
    std::vector<std::string> tokens;
    for (const TokenId id : ids) {
      if (is_shown(id, show_control)) tokens.push_back(decoded(id));
    }
    return tokens.empty() ? std::string() : text_of(std::move(tokens));
  }

  std::size_t size() const override { return parts_.vocabulary->kinds.size(); }
  TokenKind kind(TokenId id) const override {
    return contains(id) ? parts_.vocabulary->kinds[static_cast<std::size_t>(id)] : TokenKind::kUnknown;
  }
  const SpecialIds& specials() const override { return parts_.ids; }
  std::string_view spelling(TokenId id) const override {
    return contains(id) ? parts_.vocabulary->spellings[static_cast<std::size_t>(id)] : std::string_view();
  }

 private:
  /// Two tokens that the decoder leaves as they are, and the size of their text.
  struct Neighbors {
    std::string left, right;
    std::size_t bytes = 0;
  };

  Neighbors find_neighbors() const {
    for (const char* left : {"qz", "07", "QZ", "jx", "ab"}) {
      const std::string right = {left[1], left[0]};
      const std::string text = text_of({left, right});
      if (text.starts_with(left) && text.ends_with(right)) return {left, right, text.size()};
    }
    return {};
  }

  std::string text_of(std::vector<std::string> tokens) const {
    parts_.decoder->decode(tokens);
    std::string text;
    for (const std::string& token : tokens) text += token;
    return text;
  }

  /// What the decoder gets.
  std::string decoded(TokenId id) const {
    const auto found = parts_.normal_forms.find(id);
    return found == parts_.normal_forms.end() ? std::string(spelling(id)) : found->second;
  }

  bool is_shown(TokenId id, bool show_control) const {
    const TokenKind what = kind(id);
    return contains(id) && (show_control || (what != TokenKind::kControl && what != TokenKind::kUnknown));
  }

  /// Calls on_piece(text) -> Result<void> for what the model encodes, and on_token(id) for added tokens.
  template <class OnPiece, class OnToken>
  Result<void> split(std::string_view text, Specials specials, OnPiece&& on_piece, OnToken&& on_token) const {
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t valid = valid_prefix(rest);
      if (valid > 0)
        TRY(split_valid(rest.substr(0, valid), rest.size() == text.size(), specials, on_piece, on_token));
      rest.remove_prefix(valid);
      const std::size_t invalid = invalid_prefix(rest);
      if (invalid > 0) TRY(split_invalid(rest.substr(0, invalid), specials, on_piece, on_token));
      rest.remove_prefix(invalid);
    }
    return {};
  }

  template <class OnPiece, class OnToken>
  Result<void> split_valid(std::string_view text, bool is_first, Specials specials, OnPiece& on_piece,
                           OnToken& on_token) const {
    std::vector<AddedTokens::Part> parts, inner;
    parts_.added.split(text, AddedTokens::In::kOriginal, specials, parts);
    for (const AddedTokens::Part& part : parts) {
      if (part.id >= 0) {
        on_token(part.id);
        continue;
      }
      std::string changed(part.text);
      const std::size_t limit = grown_limit(changed.size());
      if (parts_.normalizer != nullptr) TRY(parts_.normalizer->normalize(changed, limit));
      inner.clear();
      parts_.added.split(changed, AddedTokens::In::kNormalized, specials, inner);
      const bool part_is_first = is_first && part.text.data() == text.data();
      for (const AddedTokens::Part& stretch : inner) {
        if (stretch.id >= 0) {
          on_token(stretch.id);
        } else {
          TRY(split_words(std::string(stretch.text), part_is_first && stretch.text.data() == changed.data(),
                          limit, on_piece));
        }
      }
    }
    return {};
  }

  template <class OnPiece>
  Result<void> split_words(std::string text, bool is_first, std::size_t limit, OnPiece& on_piece) const {
    Pieces pieces(std::move(text), is_first, limit);
    if (parts_.pre_tokenizer != nullptr) TRY(parts_.pre_tokenizer->split(pieces));
    for (const Piece& piece : pieces.all()) TRY(on_piece(piece.text));
    return {};
  }

  /// The model's tokens of bytes, or U+FFFD.
  template <class OnPiece, class OnToken>
  Result<void> split_invalid(std::string_view bytes, Specials specials, OnPiece& on_piece,
                             OnToken& on_token) const {
    if (parts_.writes_bytes) {
      std::string piece;
      for (const char byte : bytes) piece += byte_spelling(static_cast<std::uint8_t>(byte));
      return on_piece(piece);
    }
    for (const char byte : bytes) {
      const auto id = byte_tokens_[static_cast<std::uint8_t>(byte)];
      if (!id) return split_valid("\xEF\xBF\xBD", false, specials, on_piece, on_token);
      on_token(*id);
    }
    return {};
  }

  std::array<std::optional<TokenId>, 256> find_byte_tokens() const {
    std::array<std::optional<TokenId>, 256> found;
    for (std::size_t i = 0; i < size(); ++i) {
      if (kind(static_cast<TokenId>(i)) != TokenKind::kByte) continue;
      found[*spelled_byte(parts_.vocabulary->spellings[i])] = static_cast<TokenId>(i);
    }
    return found;
  }

  Components parts_;
  std::array<std::optional<TokenId>, 256> byte_tokens_ = find_byte_tokens();
  Neighbors neighbors_ = find_neighbors();
};

/// Whether a component, or one of a sequence, has this type.
bool has_type(const Json& component, std::string_view type) {
  if (!component.is_structured()) return false;
  const auto found = component.is_object() ? component.find("type") : component.end();
  if (component.is_object() && found != component.end() && found->is_string() && *found == type) return true;
  return std::any_of(component.begin(), component.end(),
                     [type](const Json& inner) { return has_type(inner, type); });
}

class Builder {
 public:
  Builder(const Json& file, JsonTokenizerSettings settings) : file_(file), settings_(std::move(settings)) {
    parts_.ids = std::move(settings_.ids);
  }

  Result<std::unique_ptr<Tokenizer>> run() {
    if (!file_.is_object() || !file_.contains("model"))
      return Error{ErrorCode::kBadFile, "tokenizer.json is not an object with a \"model\""};
    TRY(check_json_version(file_));
    std::vector<AddedToken> added = read_added_tokens(file_, error_);
    if (const Json* found = component("normalizer"))
      parts_.normalizer = read_normalizer(fields("normalizer", *found));
    if (error_) return *error_;
    TRY(normalize(added));
    read_tokens(added);
    parts_.added = AddedTokens(std::move(added));
    if (const Json* found = component("pre_tokenizer"))
      parts_.pre_tokenizer = read_pre_tokenizer(fields("pre_tokenizer", *found));
    if (const Json* found = component("post_processor"))
      read_post_processor(fields("post_processor", *found), parts_.vocabulary->kinds.size(), parts_.around);
    const Json* decoder = component("decoder");
    parts_.decoder = decoder == nullptr ? spaces_between_tokens() : read_decoder(fields("decoder", *decoder));
    if (error_) return *error_;
    set_special_ids();
    return std::unique_ptr<Tokenizer>(std::make_unique<JsonTokenizer>(std::move(parts_)));
  }

 private:
  /// Null: the file has none.
  const Json* component(const char* key) const {
    const auto found = file_.find(key);
    return found == file_.end() || found->is_null() ? nullptr : &*found;
  }

  ComponentFields fields(const char* place, const Json& object) { return {object, place, error_}; }

  Result<void> normalize(std::vector<AddedToken>& added) {
    for (AddedToken& token : added) {
      token.normal_form = token.content;
      if (token.normalized && parts_.normalizer != nullptr) {
        const auto done = parts_.normalizer->normalize(token.normal_form, kMaxSpelling);
        if (!done) return at_place(done.error(), "added_tokens");
      }
      if (token.normal_form != token.content) parts_.normal_forms[token.id] = token.normal_form;
    }
    return {};
  }

  void read_tokens(std::vector<AddedToken>& added) {
    ComponentFields model = fields("model", file_["model"]);
    auto vocabulary = std::make_unique<JsonVocabulary>(read_json_vocabulary(model, added));
    set_kinds(model, added, *vocabulary);
    parts_.vocabulary = std::move(vocabulary);
    if (!error_) parts_.model = read_model(model, *parts_.vocabulary);
    for (const char* key : {"normalizer", "pre_tokenizer"}) {
      const Json* found = component(key);
      parts_.writes_bytes = parts_.writes_bytes || (found != nullptr && has_type(*found, "ByteLevel"));
    }
  }

  void set_kinds(ComponentFields& model, const std::vector<AddedToken>& added, JsonVocabulary& vocabulary) {
    if (model.flag("byte_fallback", false)) {
      for (std::size_t i = 0; i < vocabulary.kinds.size(); ++i) {
        if (spelled_byte(vocabulary.spellings[i])) vocabulary.kinds[i] = TokenKind::kByte;
      }
    }
    for (const AddedToken& token : added) {
      if (static_cast<std::size_t>(token.id) >= vocabulary.kinds.size()) continue;  // after an error
      vocabulary.kinds[static_cast<std::size_t>(token.id)] =
          token.special ? TokenKind::kControl : TokenKind::kUserDefined;
    }
  }

  /// Adds the one token on a side, or leaves it out, where that is said.
  static void set_side(std::optional<bool> adds, std::optional<TokenId> id, std::vector<TokenId>& side) {
    if (!adds || !id) return;
    if (*adds && side.empty()) side.push_back(*id);
    if (!*adds && side.size() == 1 && side[0] == *id) side.clear();
  }

  void set_special_ids() {
    SpecialIds& ids = parts_.ids;
    PromptTemplate& around = parts_.around;
    if (!ids.bos && around.before.size() == 1) ids.bos = around.before[0];
    if (!ids.eos && around.after.size() == 1) ids.eos = around.after[0];
    set_side(settings_.add_bos, ids.bos, around.before);
    set_side(settings_.add_eos, ids.eos, around.after);
    ids.add_bos = ids.bos && !around.before.empty() && around.before[0] == *ids.bos;
    ids.add_eos = ids.eos && !around.after.empty() && around.after.back() == *ids.eos;
  }

  const Json& file_;
  JsonTokenizerSettings settings_;
  std::optional<Error> error_;
  Components parts_;
};

}  // namespace

Result<void> check_json_version(const Json& file) {
  const auto found = file.find("version");
  if (found == file.end() || *found == "1.0") return {};
  return Error{ErrorCode::kUnsupported,
               sentence("\"version\" is ",
                        internal::quoted(found->is_string() ? found->get<std::string>() : "no text"),
                        "; this version of partita reads \"1.0\"")};
}

Result<std::unique_ptr<Tokenizer>> make_json_tokenizer(const Json& file, JsonTokenizerSettings settings) {
  return Builder(file, std::move(settings)).run();
}

Result<std::unique_ptr<Tokenizer>> read_json_tokenizer(std::string_view text, std::string_view where) {
  const auto file = read_json(text, where, JsonLimits());
  if (!file) return file.error();
  auto made = make_json_tokenizer(*file, {});
  if (!made) return at_place(made.error(), where);
  return made;
}

Result<std::unique_ptr<Tokenizer>> read_json_tokenizer(const Gguf& file) {
  const auto text = file.get_string(kTokenizerJsonKey);
  if (!text) return text.error();
  const auto tokens = read_tokens(file);
  if (!tokens) return tokens.error();
  JsonTokenizerSettings settings;
  auto ids = read_specials(file, *tokens, {});
  if (!ids) return ids.error();
  settings.ids = *std::move(ids);
  for (const auto& [key, flag] : {std::pair{"tokenizer.ggml.add_bos_token", &settings.add_bos},
                                  std::pair{"tokenizer.ggml.add_eos_token", &settings.add_eos}}) {
    if (file.find(key) == nullptr) continue;
    const auto value = file.get_bool(key);
    if (!value) return value.error();
    *flag = *value;
  }
  const auto json = read_json(*text, kTokenizerJsonKey, JsonLimits());
  if (!json) return json.error();
  auto made = make_json_tokenizer(*json, std::move(settings));
  if (!made) return at_place(made.error(), "'", file.path(), "'");
  return made;
}

}  // namespace partita::internal
