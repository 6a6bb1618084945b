#include "tokenizer/json/added_tokens.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "tokenizer/json/characters.h"
#include "tokenizer/vocabulary.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

bool begins_with_word(std::string_view text) {
  return !text.empty() && is_word_character(first_character(text).code);
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && is_word_character(last_character(text).code);
}

/// Where the white space before `end` begins, but not before `begin`.
std::size_t skip_spaces_back(std::string_view text, std::size_t begin, std::size_t end) {
  while (end > begin) {
    const JsonCharacter last = last_character(text.substr(begin, end - begin));
    if (!is_white_space(last.code)) break;
    end -= last.length;
  }
  return end;
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_white_space(first_character(text.substr(at)).code))
    at += first_character(text.substr(at)).length;
  return at;
}

/// The ids of a model's spellings, as the file has them.
class ModelIds {
 public:
  explicit ModelIds(const nlohmann::json& file) {
    const auto model = file.find("model");
    const bool has_model = model != file.end() && model->is_object();
    const auto vocab = has_model ? model->find("vocab") : nlohmann::json::const_iterator();
    if (!has_model || vocab == model->end() || !vocab->is_structured()) return;
    count_ = vocab->size();
    if (vocab->is_object()) {
      by_spelling_ = &*vocab;
      return;
    }
    std::size_t id = 0;
    for (const nlohmann::json& pair : *vocab) {
      const bool has_spelling = pair.is_array() && !pair.empty() && pair[0].is_string();
      if (has_spelling) of_pairs_[pair[0].get_ref<const std::string&>()] = id;
      ++id;
    }
  }

  std::size_t count() const { return count_; }

  std::optional<std::size_t> find(const std::string& spelling) const {
    if (by_spelling_ == nullptr) {
      const auto found = of_pairs_.find(spelling);
      return found == of_pairs_.end() ? std::nullopt : std::optional(found->second);
    }
    const auto found = by_spelling_->find(spelling);
    const bool is_id = found != by_spelling_->end() && found->is_number_unsigned();
    return is_id ? std::optional(found->get<std::size_t>()) : std::nullopt;
  }

 private:
  std::size_t count_ = 0;
  const nlohmann::json* by_spelling_ = nullptr;
  std::unordered_map<std::string_view, std::size_t> of_pairs_;
};

}  // namespace

std::vector<AddedToken> read_added_tokens(const nlohmann::json& file, std::optional<Error>& error) {
  std::vector<AddedToken> tokens;
  const auto found = file.find("added_tokens");
  if (found == file.end() || found->is_null()) return tokens;
  if (!found->is_array()) {
    if (!error) error = Error{ErrorCode::kBadFile, "added_tokens is not an array"};
    return tokens;
  }
  const ModelIds model(file);
  std::size_t next_id = model.count();
  for (const nlohmann::json& each : *found) {
    ComponentFields fields(each, "added_tokens", error);
    AddedToken token;
    token.content = fields.text("content");
    fields.count("id", 0, kMaxVocabulary - 1, std::nullopt);
    token.single_word = fields.flag("single_word", false);
    token.lstrip = fields.flag("lstrip", false);
    token.rstrip = fields.flag("rstrip", false);
    token.special = fields.flag("special", false);
    token.normalized = fields.flag("normalized", !token.special);
    if (token.content.size() > kMaxSpelling)
      fields.fail_key("content", sentence("has more than ", kMaxSpelling, " bytes"));
    if (error) break;
    if (token.content.empty()) continue;
    const auto id = model.find(token.content);
    token.id = static_cast<TokenId>(std::min(id ? *id : next_id++, kMaxVocabulary - 1));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), original_(matcher_of(false)), normalized_(matcher_of(true)) {}

PrefixMatcher AddedTokens::matcher_of(bool normalized) const {
  std::vector<PrefixMatcher::Spelling> spellings;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    if (token.normalized != normalized) continue;
    spellings.push_back({normalized ? token.normal_form : token.content, static_cast<std::int32_t>(i)});
  }
  return PrefixMatcher(std::move(spellings));
}

void AddedTokens::split(std::string_view text, In in, Specials specials, std::vector<Part>& out) const {
  const PrefixMatcher& matcher = in == In::kOriginal ? original_ : normalized_;
  std::size_t covered = 0, spaces_end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const PrefixMatcher::Match match = matcher.find(text.substr(at));
    if (match.length == 0) break;
    std::size_t begin = at + match.position, end = begin + match.length;
    at = end;
    const AddedToken& token = tokens_[static_cast<std::size_t>(match.id)];
    if (specials == Specials::kAsText && token.special) continue;
    if (token.single_word && (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(end))))
      continue;
    if (token.lstrip) begin = std::max(covered, skip_spaces_back(text, std::min(covered, begin), begin));
    if (token.rstrip) {
      if (end >= spaces_end) spaces_end = skip_spaces(text, end);
      end = spaces_end;
    }
    if (begin > covered) out.push_back({text.substr(covered, begin - covered)});
    out.push_back({{}, token.id});
    covered = end;
  }
  if (covered < text.size()) out.push_back({text.substr(covered)});
}

}  // namespace partita::internal
