#include "api/convert/json_vocabulary.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "api/convert/directory.h"
#include "api/convert/gguf_token_type.h"
#include "api/convert/json_file.h"
#include "tokenizer/json/added_tokens.h"
#include "tokenizer/json/gguf_kind.h"
#include "tokenizer/json/gguf_pieces.h"
#include "tokenizer/json/model.h"
#include "tokenizer/json/post_processor.h"
#include "tokenizer/json/tokenizer_json.h"
#include "tokenizer/pre/scheme.h"
#include "tokenizer/vocabulary.h"
#include "weights/gguf/writer.h"
#include "weights/input_file.h"
#include "weights/json/reader.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Json = nlohmann::json;

constexpr float kScoreOfPadding = -1e6F;

/// Tokens that files should mark as special, from llama.cpp's list.
bool looks_special(std::string_view token) {
  const auto is_between = [token](std::string_view begin, std::string_view end) {
    return token.starts_with(begin) && token.ends_with(end);
  };
  return token == "<pad>" || token == "<mask>" || token == "<2mass>" || token == "[@BOS@]" ||
         is_between("<|", "|>") || is_between("<\uFF5C", "\uFF5C>") || is_between("<unused", ">");
}

class JsonVocabularyWriter {
 public:
  JsonVocabularyWriter(const std::string& path, std::uint32_t size)
      : path_(path), directory_(directory_of(path)), size_(size) {}

  Result<Gguf> run(bool only_gguf) {
    TRY(read_files());
    std::optional<Error> error;
    added_ = read_added_tokens(tokenizer_, error);
    if (error) return located(*error);
    TRY(read_tokens());
    const auto pre = gguf_pre_tokenizer(tokenizer_, added_);
    if (!pre && pre.error().code != ErrorCode::kUnsupported)
      return only_gguf ? instead(pre.error()) : located(pre.error());
    if (pre) TRY(add_byte_bpe(*pre));
    if (!pre && only_gguf) TRY(add_pieces(pre.error()));
    if (!pre && !only_gguf) file_.add(kTokenizerJsonKey, text_);
    file_.add("tokenizer.ggml.tokens", tokens_).add("tokenizer.ggml.token_type", types_);
    TRY(add_specials(pre || only_gguf, !pre || find_scheme(*pre)->add_bos));
    return file_.open(printable(path_));
  }

 private:
  Error located(const Error& error) const { return at_place(error, "'", printable(path_), "'"); }

  Error instead(const Error& error) const {
    return {error.code, sentence("'", printable(directory_), "': ", error.message,
                                 ": give a GGUF file that has the vocabulary with --vocabulary FILE")};
  }

  Result<void> read_files() {
    auto text = read_text_file(path_, "a tokenizer.json", JsonLimits().bytes);
    if (!text) return text.error();
    text_ = *std::move(text);
    auto tokenizer = read_json(text_, sentence("'", printable(path_), "'"), JsonLimits());
    if (!tokenizer) return tokenizer.error();
    tokenizer_ = *std::move(tokenizer);
    if (!tokenizer_.is_object() || !tokenizer_.contains("model"))
      return located({ErrorCode::kBadFile, "it is not an object with a \"model\""});
    if (const auto known = check_json_version(tokenizer_); !known) return located(known.error());
    for (auto& [name, to] :
         {std::pair{"tokenizer_config.json", &config_}, std::pair{"special_tokens_map.json", &map_},
          std::pair{"config.json", &model_config_}}) {
      auto file = read_json_file(sentence(directory_, "/", name));
      if (!file) return file.error();
      *to = *std::move(file);
    }
    return {};
  }

  Result<void> read_tokens() {
    std::optional<Error> error;
    ComponentFields model(tokenizer_["model"], "model", error);
    const JsonVocabulary vocabulary = read_json_vocabulary(model, added_);
    if (error) return located(*error);
    if (size_ == 0) size_ = static_cast<std::uint32_t>(vocabulary.kinds.size());
    if (vocabulary.kinds.size() > size_) {
      return located({ErrorCode::kBadFile, sentence("it has ids up to ", vocabulary.kinds.size() - 1,
                                                    ", and vocab_size is ", size_)});
    }
    for (std::size_t i = 0; i < size_; ++i) {
      const bool exists = i < vocabulary.kinds.size() && vocabulary.kinds[i] != TokenKind::kUnused;
      tokens_.push_back(exists ? std::string(vocabulary.spellings[i]) : sentence("[PAD", i, "]"));
      types_.push_back(gguf_token_type(exists ? TokenKind::kNormal : TokenKind::kUnused));
    }
    for (const AddedToken& token : added_) {
      const bool is_control = token.special || looks_special(token.content);
      types_[static_cast<std::size_t>(token.id)] =
          gguf_token_type(is_control ? TokenKind::kControl : TokenKind::kUserDefined);
    }
    return {};
  }

  Result<void> add_byte_bpe(const std::string& pre) {
    std::optional<Error> error;
    ComponentFields model(tokenizer_["model"], "model", error);
    std::vector<std::string> merges;
    for (const JsonMerge& merge : read_json_merges(model))
      merges.push_back(sentence(merge.left, " ", merge.right));
    if (error) return located(*error);
    file_.add("tokenizer.ggml.model", "gpt2").add("tokenizer.ggml.pre", pre);
    file_.add("tokenizer.ggml.merges", merges);
    for (const AddedToken& token : added_) {
      if (types_[static_cast<std::size_t>(token.id)] == gguf_token_type(TokenKind::kUserDefined))
        tokens_[static_cast<std::size_t>(token.id)] = with_spaces(token.content);
    }
    return {};
  }

  /// BPE over characters with byte tokens, as pieces that merge by score. why_not: the error of other models.
  Result<void> add_pieces(const Error& why_not) {
    std::optional<Error> error;
    if (!ComponentFields(tokenizer_["model"], "model", error).flag("byte_fallback", false))
      return instead(why_not);
    auto pieces = gguf_pieces(tokenizer_, added_);
    if (!pieces) return instead(pieces.error());
    pieces->scores.resize(size_, kScoreOfPadding);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (spelled_byte(tokens_[i])) types_[i] = gguf_token_type(TokenKind::kByte);
    }
    file_.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.pre", "default");
    file_.add("tokenizer.ggml.scores", pieces->scores);
    file_.add("tokenizer.ggml.add_space_prefix", pieces->add_space_prefix);
    return {};
  }

  /// Spaces for the mark of SentencePiece.
  static std::string with_spaces(std::string text) {
    constexpr std::string_view kMark = "\u2581";
    for (std::size_t at = text.find(kMark); at != text.npos; at = text.find(kMark, at))
      text.replace(at, kMark.size(), " ");
    return text;
  }

  /// The id of "bos_token" and the like: of the added token that tokenizer_config.json or
  /// special_tokens_map.json spells, else the one in config.json.
  std::optional<std::uint32_t> special_id(const std::string& name) const {
    const std::string token = name + "_token", id = name + "_token_id";
    for (const Json* json : {static_cast<const Json*>(&config_), static_cast<const Json*>(&map_)}) {
      const Json* value = member(*json, token.c_str());
      if (value != nullptr && value->is_object()) value = member(*value, "content");
      if (value == nullptr || !value->is_string()) continue;
      const auto found = std::find_if(added_.begin(), added_.end(),
                                      [&](const AddedToken& each) { return each.content == *value; });
      if (found != added_.end()) return static_cast<std::uint32_t>(found->id);
    }
    const Json* number = member(model_config_, id.c_str());
    if (number == nullptr || !number->is_number_unsigned() || number->get<std::uint64_t>() >= size_)
      return std::nullopt;
    return number->get<std::uint32_t>();
  }

  /// Flags say what the post-processor adds, unless the text of the file is kept. adds_bos: what readers of
  /// the metadata take for granted.
  Result<void> add_specials(bool is_metadata, bool adds_bos) {
    std::optional<Error> error;
    PromptTemplate around;
    if (const Json* found = member(tokenizer_, "post_processor"); found != nullptr && !found->is_null())
      read_post_processor(ComponentFields(*found, "post_processor", error), size_, around);
    if (error) return located(*error);
    const auto add = [&](const char* key, std::optional<std::uint32_t> id) {
      if (id) file_.add(sentence("tokenizer.ggml.", key, "_token_id"), *id);
    };
    auto bos = special_id("bos"), eos = special_id("eos");
    if (!bos) bos = special_id("cls");
    if (!eos) eos = special_id("sep");
    if (!bos && is_metadata && !around.before.empty()) bos = static_cast<std::uint32_t>(around.before[0]);
    add("bos", bos);
    add("eos", eos);
    add("unknown", special_id("unk"));
    add("padding", special_id("pad"));
    const auto is_first = [](const std::vector<TokenId>& ids, std::optional<std::uint32_t> id) {
      return id && !ids.empty() && static_cast<std::uint32_t>(ids[0]) == *id;
    };
    add_flag("add_bos_token", is_metadata && (!around.before.empty() || adds_bos),
             is_first(around.before, bos));
    add_flag("add_eos_token", is_metadata && !around.after.empty(), is_first(around.after, eos));
    return {};
  }

  /// The flag in tokenizer_config.json, else, if there is one, that of the post-processor.
  void add_flag(const char* key, bool is_known, bool flag) {
    const Json* value = member(config_, key);
    const bool is_configured = value != nullptr && value->is_boolean();
    if (is_configured || is_known)
      file_.add(sentence("tokenizer.ggml.", key), is_configured ? value->get<bool>() : flag);
  }

  const std::string path_, directory_;
  std::uint32_t size_;
  std::string text_;
  JsonDocument tokenizer_, config_, map_, model_config_;
  std::vector<AddedToken> added_;
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> types_;
  GgufWriter file_;
};

}  // namespace

Result<Gguf> json_vocabulary(const std::string& path, std::uint32_t size, bool only_gguf) {
  return JsonVocabularyWriter(path, size).run(only_gguf);
}

}  // namespace partita::internal
