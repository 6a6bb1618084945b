#include "tokenizer/json/gguf_pieces.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "tokenizer/json/characters.h"
#include "tokenizer/json/fields.h"
#include "tokenizer/json/model.h"
#include "tokenizer/ranks/rank_merges.h"
#include "tokenizer/vocabulary.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Json = nlohmann::json;

Error no_pieces(std::string_view what) {
  return {ErrorCode::kUnsupported,
          sentence("its tokenizer.json has ", what, ", which the pieces of GGUF files cannot express")};
}

/// Null without it.
Json component_of(const Json& file, const char* key) {
  const auto found = file.find(key);
  return found == file.end() ? Json() : *found;
}

/// Whether the texts that the model gets are the text with U+2581 for spaces, and before each: nullopt if
/// they are something else.
std::optional<bool> adds_space(const Json& file) {
  static const Json kReplace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}};
  static const Json kPrepend = {{"type", "Prepend"}, {"prepend", "\u2581"}};
  static const Json kMetaspace = {
      {"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "never"}, {"split", false}};
  const Json normalizer = component_of(file, "normalizer"), pre = component_of(file, "pre_tokenizer");
  if (normalizer.is_null() && pre == kMetaspace) return false;
  if (!pre.is_null()) return std::nullopt;
  if (normalizer == kReplace) return false;
  const Json both = {{"type", "Sequence"}, {"normalizers", {kPrepend, kReplace}}};
  return normalizer == both ? std::optional(true) : std::nullopt;
}

class PieceFinder {
 public:
  PieceFinder(const Json& file, const std::vector<AddedToken>& added)
      : file_(file), added_(added), model_(file["model"], "model", error_) {}

  Result<GgufPieces> run() {
    TRY(check_model());
    TRY(check_added());
    const auto adds = adds_space(file_);
    if (!adds)
      return no_pieces("a normalizer or a pre-tokenizer that does more than write U+2581 for spaces");
    vocabulary_ = read_json_vocabulary(model_, added_);
    if (error_) return *error_;
    for (int byte = 0; byte < 256; ++byte) {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      if (!vocabulary_.spellings.find(
              sentence("<0x", kHex.substr(byte / 16, 1), kHex.substr(byte % 16, 1), ">")))
        return no_pieces("no token for some bytes");
    }
    TRY(order_tokens());
    TRY(check_merges());
    out_.add_space_prefix = *adds;
    return std::move(out_);
  }

 private:
  Result<void> check_model() {
    if (model_type(model_) != "BPE")
      return no_pieces(sentence("a model of type ", internal::quoted(model_.type())));
    if (!model_.flag("byte_fallback", false)) return no_pieces("no byte_fallback in its BPE model");
    if (model_.flag("ignore_merges", false)) return no_pieces("ignore_merges");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!model_.text(key, "").empty()) return no_pieces(sentence("a ", key));
    }
    if (model_.find("dropout") != nullptr && model_.json()["dropout"] != 0) return no_pieces("dropout");
    return error_ ? Result<void>(*error_) : Result<void>();
  }

  Result<void> check_added() const {
    for (const AddedToken& token : added_) {
      const bool is_plain =
          token.special && !token.normalized && !token.single_word && !token.lstrip && !token.rstrip;
      if (!is_plain)
        return no_pieces(
            sentence("the added token ", internal::quoted(token.content), ", which is not special alone"));
    }
    return {};
  }

  static bool is_character(std::string_view spelling) {
    return !spelling.empty() && first_character(spelling).length == spelling.size();
  }

  void append(TokenId id) {
    order_.emplace_back(vocabulary_.spellings[static_cast<std::size_t>(id)]);
    ids_.push_back(id);
  }

  /// Tokens in the order in which merges make them; before them the others of one character, behind them
  /// those that no merge makes.
  Result<void> order_tokens() {
    std::vector<TokenId> made;
    std::set<TokenId> known;
    for (const JsonMerge& merge : read_json_merges(model_)) {
      const auto left = vocabulary_.spellings.find(merge.left),
                 right = vocabulary_.spellings.find(merge.right);
      const auto id = vocabulary_.spellings.find(sentence(merge.left, merge.right));
      if (!left || !right || !id) return no_pieces("a merge of texts that are no tokens");
      listed_.emplace(*left, *right);
      if (!made.empty() && made.back() == *id) continue;
      if (!known.insert(*id).second) return no_pieces("merges of one token that stand apart");
      made.push_back(*id);
    }
    if (error_) return *error_;
    std::unordered_set<std::string_view> added;
    for (const AddedToken& token : added_) added.insert(token.content);
    std::vector<TokenId> unmade;
    for (std::size_t i = 0; i < vocabulary_.kinds.size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      const std::string_view spelling = vocabulary_.spellings[i];
      if (vocabulary_.spellings.find(spelling) != id || spelled_byte(spelling) || added.contains(spelling))
        continue;
      if (known.contains(id) || spelling.empty()) continue;
      is_character(spelling) ? append(id) : unmade.push_back(id);
    }
    const std::size_t characters = order_.size();
    for (const TokenId id : made) append(id);
    made_ = made.size();
    first_unmade_ = order_.size();
    for (const TokenId id : unmade) append(id);
    out_.scores.assign(vocabulary_.kinds.size(), -static_cast<float>(order_.size()));
    for (std::size_t i = characters; i < first_unmade_; ++i)
      out_.scores[static_cast<std::size_t>(ids_[i])] = -static_cast<float>(i - characters);
    return {};
  }

  /// Pieces merge wherever their joined text is a piece, so the last merge of each token must be one of the
  /// file's, and tokens that no merge of the file makes must be made by none.
  Result<void> check_merges() {
    const auto merges = rank_merges(order_, RankUnit::kCharacter);
    if (!merges) return merges.error();
    std::size_t count = 0;
    for (const RankMerge& merge : merges->merges) {
      const auto id = [&](std::int32_t place) { return ids_[static_cast<std::size_t>(place)]; };
      const bool is_made = static_cast<std::size_t>(merge.merged) < first_unmade_;
      if (!is_made || !listed_.contains({id(merge.left), id(merge.right)}))
        return no_pieces(sentence("merges that do not make ",
                                  internal::quoted(order_[static_cast<std::size_t>(merge.merged)]),
                                  " as the order of its tokens does"));
      ++count;
    }
    return count == made_ ? Result<void>() : no_pieces("tokens that their merges do not make");
  }

  const Json& file_;
  const std::vector<AddedToken>& added_;
  std::optional<Error> error_;
  ComponentFields model_;
  JsonVocabulary vocabulary_;
  std::set<std::pair<TokenId, TokenId>> listed_;
  std::vector<std::string> order_;
  std::vector<TokenId> ids_;  // of order_
  std::size_t made_ = 0, first_unmade_ = 0;
  GgufPieces out_;
};

}  // namespace

Result<GgufPieces> gguf_pieces(const Json& file, const std::vector<AddedToken>& added) {
  return PieceFinder(file, added).run();
}

}  // namespace partita::internal
