#include "api/convert/sentencepiece_vocabulary.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "api/convert/directory.h"
#include "api/convert/gguf_token_type.h"
#include "api/convert/json_file.h"
#include "tokenizer/models/sentencepiece_proto.h"
#include "weights/gguf/writer.h"
#include "weights/input_file.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxModel = std::size_t{64} << 20;
constexpr float kScoreOfAdded = -1000;

/// The spelling of a token in JSON: a string, or an object with "content"; null: neither.
const std::string* spelling(const Json* value) {
  if (value != nullptr && value->is_object()) value = member(*value, "content");
  return value == nullptr ? nullptr : value->get_ptr<const std::string*>();
}

class Vocabulary {
 public:
  Vocabulary(const std::string& path, std::uint32_t size)
      : path_(path), directory_(directory_of(path)), size_(size) {}

  Result<Gguf> run() {
    TRY(read_pieces());
    TRY(read_added());
    const auto tokenizer = read_json_file(directory_ + "/tokenizer_config.json");
    if (!tokenizer) return tokenizer.error();
    TRY(read_decoder(member(*tokenizer, "added_tokens_decoder")));
    file_.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.pre", "default");
    file_.add("tokenizer.ggml.tokens", tokens_).add("tokenizer.ggml.scores", scores_);
    file_.add("tokenizer.ggml.token_type", types_);
    add_specials(*tokenizer);
    return file_.open(printable(path_));
  }

 private:
  Error bad(std::string_view file, std::string_view rest) const {
    return {ErrorCode::kBadFile, sentence("'", printable(directory_), "/", file, "' ", rest)};
  }
  Error unsupported(std::string_view what) const {
    return {ErrorCode::kUnsupported,
            sentence("'", printable(directory_), "/tokenizer.model' has ", what,
                     ": give a GGUF file that has the vocabulary with --vocabulary FILE")};
  }

  Result<void> read_pieces() {
    const auto model = read_text_file(path_, "a SentencePiece model", kMaxModel);
    if (!model) return model.error();
    const auto parsed = parse_sentencepiece(*model);
    if (!parsed) return bad("tokenizer.model", sentence("cannot be read: ", parsed.error().message));
    if (!parsed->merges_by_score) return unsupported("pieces that are not merged by score");
    if (parsed->has_rules) return unsupported("a normalizer that changes characters");
    if (size_ == 0) size_ = static_cast<std::uint32_t>(parsed->kinds.size());
    if (parsed->kinds.size() > size_) {
      return bad("tokenizer.model",
                 sentence("has ", parsed->kinds.size(), " pieces, and vocab_size is ", size_));
    }
    for (std::size_t i = 0; i < size_; ++i) {
      const bool is_piece = i < parsed->kinds.size();
      tokens_.push_back(is_piece ? std::string(parsed->pieces[i]) : sentence("[PAD", i, "]"));
      scores_.push_back(is_piece ? parsed->scores[i] : -10000);
      types_.push_back(gguf_token_type(is_piece ? parsed->kinds[i] : TokenKind::kUnused));
    }
    if (!parsed->add_dummy_prefix) file_.add("tokenizer.ggml.add_space_prefix", false);
    if (parsed->removes_extra_whitespace) file_.add("tokenizer.ggml.remove_extra_whitespaces", true);
    return {};
  }

  /// added_tokens.json: spellings and ids.
  Result<void> read_added() {
    const auto added = read_json_file(directory_ + "/added_tokens.json");
    if (!added) return added.error();
    for (const auto& [text, id] : added->items()) {
      if (!id.is_number_unsigned()) return bad("added_tokens.json", "has an id that is not a whole number");
      const auto place = id.get<std::uint64_t>();
      if (place < size_) set(static_cast<std::size_t>(place), text, TokenKind::kUserDefined);
    }
    return {};
  }

  /// tokenizer_config.json's added_tokens_decoder: ids, spellings, and whether they are special.
  Result<void> read_decoder(const Json* decoder) {
    if (decoder == nullptr || !decoder->is_object()) return {};
    for (const auto& [id, token] : decoder->items()) {
      const std::string* text = spelling(&token);
      const bool is_id = !id.empty() && id.size() < 10 && id.find_first_not_of("0123456789") == id.npos;
      if (!is_id || text == nullptr)
        return bad("tokenizer_config.json", "has an added_tokens_decoder that is not of ids and tokens");
      const Json* special = member(token, "special");
      const bool is_special = special != nullptr && special->is_boolean() && special->get<bool>();
      if (const std::size_t place = std::stoul(id); place < size_)
        set(place, *text, is_special ? TokenKind::kControl : TokenKind::kUserDefined);
    }
    return {};
  }

  /// A token of the model file itself keeps its score and, unless it is a normal one, its type.
  void set(std::size_t id, const std::string& text, TokenKind kind) {
    const bool is_same = tokens_[id] == text;
    const auto is = [&](TokenKind each) { return types_[id] == gguf_token_type(each); };
    if (is_same && !is(TokenKind::kNormal) && !is(TokenKind::kUserDefined)) return;
    tokens_[id] = text;
    types_[id] = gguf_token_type(kind);
    scores_[id] = kScoreOfAdded;
  }

  void add_specials(const Json& tokenizer) {
    for (const auto& [name, key] : {std::pair{"bos", "bos"}, std::pair{"eos", "eos"},
                                    std::pair{"unk", "unknown"}, std::pair{"pad", "padding"}}) {
      const std::string* text = spelling(member(tokenizer, sentence(name, "_token").c_str()));
      const auto found = text == nullptr ? tokens_.end() : std::find(tokens_.begin(), tokens_.end(), *text);
      if (found == tokens_.end()) continue;
      file_.add(sentence("tokenizer.ggml.", key, "_token_id"),
                static_cast<std::uint32_t>(found - tokens_.begin()));
    }
    for (const char* flag : {"add_bos_token", "add_eos_token"}) {
      const Json* value = member(tokenizer, flag);
      if (value != nullptr && value->is_boolean())
        file_.add(sentence("tokenizer.ggml.", flag), value->get<bool>());
    }
  }

  const std::string path_, directory_;
  std::uint32_t size_;
  std::vector<std::string> tokens_;
  std::vector<float> scores_;
  std::vector<std::int32_t> types_;
  GgufWriter file_;
};

}  // namespace

Result<Gguf> sentencepiece_vocabulary(const std::string& path, std::uint32_t size) {
  return Vocabulary(path, size).run();
}

}  // namespace partita::internal
