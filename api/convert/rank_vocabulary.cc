#include "api/convert/rank_vocabulary.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "api/convert/directory.h"
#include "api/convert/gguf_token_type.h"
#include "api/convert/json_file.h"
#include "tokenizer/models/byte_alphabet.h"
#include "tokenizer/models/byte_bpe.h"
#include "tokenizer/pre/scheme.h"
#include "tokenizer/ranks/rank_families.h"
#include "tokenizer/ranks/rank_merges.h"
#include "tokenizer/ranks/rank_vocabulary.h"
#include "tokenizer/vocabulary.h"
#include "weights/gguf/writer.h"
#include "weights/input_file.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Json = nlohmann::json;

std::string spelled(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += byte_spelling(static_cast<std::uint8_t>(byte));
  return out;
}

/// The text under a key of JSON: a string, or an object with "content"; empty without it.
std::string text_member(const Json& object, const char* key) {
  const Json* value = object.is_object() ? member(object, key) : nullptr;
  if (value != nullptr && value->is_object()) value = member(*value, "content");
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

class RankVocabularyWriter {
 public:
  RankVocabularyWriter(const std::string& path, std::uint32_t size)
      : path_(path), directory_(directory_of(path)), size_(size) {}

  Result<Gguf> run(bool only_gguf) {
    const auto done = write(only_gguf);
    if (!done) return at_place(done.error(), "'", printable(path_), "'");
    return file_.open(printable(path_));
  }

 private:
  Result<void> write(bool only_gguf) {
    TRY(read());
    TRY(place_tokens());
    const auto merges = rank_merges(ranks_.tokens);
    if (!merges) return merges.error();
    file_.add("tokenizer.ggml.model", "gpt2");
    TRY(add_pre_tokenizer(*merges, only_gguf));
    std::vector<std::string> lines;
    lines.reserve(merges->merges.size());
    for (const RankMerge& merge : merges->merges)
      lines.push_back(sentence(token(merge.left), " ", token(merge.right)));
    file_.add("tokenizer.ggml.tokens", tokens_).add("tokenizer.ggml.token_type", types_);
    file_.add("tokenizer.ggml.merges", lines);
    add_specials();
    return {};
  }

  Result<void> read() {
    const auto text = read_text_file(path_, "a vocabulary of ranks", kMaxRankFile);
    if (!text) return text.error();
    const auto config = read_json_file(directory_ + "/tokenizer_config.json");
    if (!config) return config.error();
    const bool is_tekken = text->find_first_not_of(" \t\r\n") == text->find('{');
    auto ranks = is_tekken ? read_tekken(*text) : read_ranks(*text);
    if (!ranks) return ranks.error();
    ranks_ = *std::move(ranks);
    if (!is_tekken) return complete(*config);
    bos_ = "<s>";
    eos_ = "</s>";
    adds_bos_ = true;
    return {};
  }

  /// What a rank file does not say.
  Result<void> complete(const Json& config) {
    ranks_.expression = text_member(config, "pat_str");
    if (ranks_.expression.empty()) {
      const auto count = std::count_if(ranks_.tokens.begin(), ranks_.tokens.end(),
                                       [](const std::string& token) { return !token.empty(); });
      const RankFamily* family =
          find_rank_family(text_member(config, "tokenizer_class"),
                           std::filesystem::path(path_).filename().string(), static_cast<std::size_t>(count));
      if (family == nullptr) return unknown_family(static_cast<std::size_t>(count));
      pre_ = family->pre;
      ranks_.expression = find_scheme(pre_)->passes[0].expression;
      ranks_.specials = family->specials(ranks_.tokens.size());
      bos_ = family->bos;
      eos_ = family->eos;
      adds_bos_ = family->add_bos;
    }
    for (const auto& [key, text] : {std::pair{"bos_token", &bos_}, std::pair{"eos_token", &eos_}}) {
      if (std::string found = text_member(config, key); !found.empty()) *text = std::move(found);
    }
    pad_ = text_member(config, "pad_token");
    if (const Json* adds = member(config, "add_bos_token"); adds != nullptr && adds->is_boolean())
      adds_bos_ = adds->get<bool>();
    return read_decoder(member(config, "added_tokens_decoder"));
  }

  static Error unknown_family(std::size_t count) {
    return {
        ErrorCode::kUnsupported,
        sentence("it has ", count, " ranks and does not say how text is split before they merge; known are ",
                 rank_family_names(),
                 "; for others put the expression into tokenizer_config.json as "
                 "\"pat_str\"")};
  }

  /// Special tokens by id, in place of the family's with that id.
  Result<void> read_decoder(const Json* decoder) {
    if (decoder == nullptr || !decoder->is_object()) return {};
    std::vector<RankSpecial> given;
    std::unordered_set<std::size_t> ids;
    for (const auto& [key, value] : decoder->items()) {
      const bool is_id = !key.empty() && key.size() < 8 && key.find_first_not_of("0123456789") == key.npos;
      const std::size_t id = is_id ? std::stoul(key) : kMaxVocabulary;
      const std::string text = text_member(value, "content");
      if (id >= kMaxVocabulary || text.empty()) {
        return Error{ErrorCode::kBadFile,
                     sentence("tokenizer_config.json has an added_tokens_decoder that is not of ids below ",
                              kMaxVocabulary, " and tokens: ", internal::quoted(key))};
      }
      const Json* special = member(value, "special");
      const bool is_control = special == nullptr || !special->is_boolean() || special->get<bool>();
      ids.insert(id);
      given.push_back({text, id, is_control});
    }
    std::erase_if(ranks_.specials, [&ids](const RankSpecial& each) { return ids.contains(each.id); });
    ranks_.specials.insert(ranks_.specials.end(), given.begin(), given.end());
    return {};
  }

  Result<void> place_tokens() {
    std::size_t needed = ranks_.first_id + ranks_.tokens.size();
    for (const RankSpecial& special : ranks_.specials) needed = std::max(needed, special.id + 1);
    const std::size_t size = size_ == 0 ? needed : size_;
    if (needed > size) {
      return Error{ErrorCode::kBadFile,
                   sentence("it has ids up to ", needed - 1, ", and vocab_size is ", size)};
    }
    for (std::size_t i = 0; i < size; ++i) tokens_.push_back(sentence("[PAD", i, "]"));
    types_.assign(size, gguf_token_type(TokenKind::kUnused));
    for (std::size_t rank = 0; rank < ranks_.tokens.size(); ++rank) {
      if (ranks_.tokens[rank].empty()) continue;
      tokens_[ranks_.first_id + rank] = spelled(ranks_.tokens[rank]);
      types_[ranks_.first_id + rank] = gguf_token_type(TokenKind::kNormal);
    }
    for (const RankSpecial& special : ranks_.specials) TRY(place_special(special));
    return {};
  }

  Result<void> place_special(const RankSpecial& special) {
    if (types_[special.id] != gguf_token_type(TokenKind::kUnused)) {
      return Error{ErrorCode::kBadFile, sentence("the id ", special.id, " of the special token ",
                                                 internal::quoted(special.text), " is another token's too")};
    }
    if (!ids_.emplace(special.text, special.id).second) {
      return Error{ErrorCode::kBadFile,
                   sentence("the special token ", internal::quoted(special.text), " comes twice")};
    }
    tokens_[special.id] = special.text;
    types_[special.id] = gguf_token_type(special.is_control ? TokenKind::kControl : TokenKind::kUserDefined);
    return {};
  }

  const std::string& token(std::int32_t rank) const {
    return tokens_[ranks_.first_id + static_cast<std::size_t>(rank)];
  }

  /// A name whose words are those of the expression. Where merges do not make all tokens, words that are
  /// tokens must stay whole.
  std::optional<std::string> name_of_expression(bool makes_all_tokens) const {
    const auto fits = [&](std::string_view name) {
      const Scheme& scheme = *find_scheme(name);
      return scheme.passes[0].expression == ranks_.expression && scheme.passes[1].empty() &&
             (makes_all_tokens || scheme.ignore_merges);
    };
    if (!pre_.empty() && fits(pre_)) return pre_;
    for (const std::string_view name : scheme_names()) {
      if (fits(name)) return std::string(name);
    }
    return std::nullopt;
  }

  Result<void> add_pre_tokenizer(const RankMerges& merges, bool only_gguf) {
    const auto name = name_of_expression(merges.makes_all_tokens);
    if (name) {
      file_.add("tokenizer.ggml.pre", *name);
      return {};
    }
    if (only_gguf) {
      return Error{ErrorCode::kUnsupported,
                   "its expression has no name in GGUF files: give a GGUF file that has the vocabulary with "
                   "--vocabulary FILE"};
    }
    file_.add("tokenizer.ggml.pre", kExpressionScheme).add(kExpressionKey, ranks_.expression);
    return {};
  }

  void add_specials() {
    const auto id_of = [this](const std::string& text) { return ids_.find(text); };
    for (const auto& [key, text] :
         {std::pair{"bos", bos_}, std::pair{"eos", eos_}, std::pair{"padding", pad_},
          std::pair{"unknown", std::string("<unk>")}, std::pair{"padding", std::string("<pad>")}}) {
      const std::string name = sentence("tokenizer.ggml.", key, "_token_id");
      if (const auto found = id_of(text); found != ids_.end() && added_.insert(name).second)
        file_.add(name, static_cast<std::uint32_t>(found->second));
    }
    file_.add("tokenizer.ggml.add_bos_token", adds_bos_ && id_of(bos_) != ids_.end());
    file_.add("tokenizer.ggml.add_eos_token", false);
  }

  const std::string path_, directory_;
  const std::uint32_t size_;
  RankVocabulary ranks_;
  std::string pre_, bos_, eos_, pad_;
  bool adds_bos_ = false;
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> types_;
  std::unordered_map<std::string, std::size_t> ids_;  // of special tokens
  std::set<std::string> added_;
  GgufWriter file_;
};

}  // namespace

Result<Gguf> rank_vocabulary(const std::string& path, std::uint32_t size, bool only_gguf) {
  return RankVocabularyWriter(path, size).run(only_gguf);
}

}  // namespace partita::internal
