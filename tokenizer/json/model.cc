#include "tokenizer/json/model.h"

#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "tokenizer/models/bpe.h"
#include "tokenizer/models/unigram.h"
#include "tokenizer/models/wordlevel.h"
#include "tokenizer/models/wordpiece.h"
#include "tokenizer/vocabulary.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

using Json = nlohmann::json;
using Pointer = std::unique_ptr<WordModel>;
using ByteTokens = std::array<std::optional<TokenId>, 256>;

/// Spellings by id, checked.
class VocabularyReader {
 public:
  explicit VocabularyReader(ComponentFields& fields) : fields_(fields) {}

  void add(const std::string& spelling, const Json& id) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kMaxVocabulary) {
      return fields_.fail_key("vocab", sentence("has the token ", internal::quoted(spelling),
                                                " with an id that is not from 0 to ", kMaxVocabulary - 1));
    }
    add(spelling, id.get<std::size_t>(), true);
  }

  void add(const std::string& spelling, std::size_t id, bool is_of_model) {
    if (spelling.size() > kMaxSpelling || (bytes_ += spelling.size()) > kMaxText)
      return fields_.fail_key("vocab", sentence("has spellings of more than ", kMaxSpelling,
                                                " bytes, or of more than ", kMaxText, " bytes together"));
    if (id >= tokens_.size()) tokens_.resize(id + 1);
    Token& token = tokens_[id];
    if (token.spelling != nullptr && is_of_model)
      return fields_.fail_key("vocab", sentence("gives id ", id, " to two tokens"));
    token.is_of_model =
        token.spelling == nullptr ? is_of_model : token.is_of_model && *token.spelling == spelling;
    token.spelling = &spelling;
  }

  JsonVocabulary take() const {
    JsonVocabulary out;
    out.spellings = StringTable(tokens_.size(), bytes_);
    out.kinds.reserve(tokens_.size());
    for (const Token& token : tokens_) {
      const bool exists = token.spelling != nullptr;
      out.spellings.add(exists ? std::string_view(*token.spelling) : std::string_view(), token.is_of_model);
      out.kinds.push_back(exists ? TokenKind::kNormal : TokenKind::kUnused);
    }
    return out;
  }

 private:
  struct Token {
    const std::string* spelling = nullptr;
    bool is_of_model = false;
  };

  ComponentFields& fields_;
  std::vector<Token> tokens_;
  std::size_t bytes_ = 0;
};

/// Unigram: an array of spellings and scores.
void add_scored(ComponentFields& fields, VocabularyReader& reader) {
  std::size_t id = 0;
  for (const Json& pair : fields.array("vocab")) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_number() ||
        id >= kMaxVocabulary) {
      return fields.fail_key("vocab", sentence("must be an array of at most ", kMaxVocabulary,
                                               " pairs of a spelling and a score"));
    }
    reader.add(pair[0].get_ref<const std::string&>(), id++, true);
    if (fields.failed()) return;
  }
}

ByteTokens byte_tokens(const JsonVocabulary& vocabulary) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  ByteTokens out;
  for (std::size_t byte = 0; byte < out.size(); ++byte) {
    const std::array<char, 6> spelling = {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 0xF], '>'};
    out[byte] = vocabulary.spellings.find({spelling.data(), spelling.size()});
  }
  return out;
}

std::optional<std::pair<std::string_view, std::string_view>> parts_of(const Json& merge) {
  if (const auto* joined = merge.get_ptr<const std::string*>()) {
    const std::string_view text = *joined;
    const std::size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos) return std::nullopt;
    return std::pair(text.substr(0, space), text.substr(space + 1));
  }
  const auto is_pair = merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string();
  if (!is_pair) return std::nullopt;
  return std::pair(std::string_view(merge[0].get_ref<const std::string&>()),
                   std::string_view(merge[1].get_ref<const std::string&>()));
}

MergeTable merge_table(ComponentFields& fields, const StringTable& spellings, std::size_t prefix_bytes) {
  const std::vector<JsonMerge> merges = read_json_merges(fields);
  MergeTable table(merges.size());
  std::string joined;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto& [left, right] = merges[i];
    const auto left_id = spellings.find(left), right_id = spellings.find(right);
    if (right.size() >= prefix_bytes) joined.assign(left).append(right.substr(prefix_bytes));
    const auto id = spellings.find(joined);
    if (!left_id || !right_id || !id || right.size() < prefix_bytes) {
      fields.fail_key("merges",
                      sentence("has at ", i, " ", internal::quoted(left), " and ", internal::quoted(right),
                               ", which, or whose joined text, no token spells"));
      break;
    }
    table.set(*left_id, *right_id, {static_cast<std::uint32_t>(i), *id});
  }
  return table;
}

Pointer read_bpe(ComponentFields& fields, const JsonVocabulary& vocabulary) {
  const Json* dropout = fields.find("dropout");
  if (dropout != nullptr && !(dropout->is_number() && dropout->get<double>() == 0))
    fields.fail(ErrorCode::kUnsupported,
                "has dropout, which chooses tokens at random and is refused; set it to null");
  Bpe::Settings settings;
  settings.continuing_prefix = fields.text("continuing_subword_prefix", "");
  settings.end_suffix = fields.text("end_of_word_suffix", "");
  settings.fuse_unknown = fields.flag("fuse_unk", false);
  settings.ignore_merges = fields.flag("ignore_merges", false);
  if (fields.find("unk_token") != nullptr) {
    settings.unknown = vocabulary.spellings.find(fields.text("unk_token"));
    settings.unknown_is_missing = !settings.unknown;
  }
  if (fields.flag("byte_fallback", false)) settings.byte_tokens = byte_tokens(vocabulary);
  MergeTable merges = merge_table(fields, vocabulary.spellings, settings.continuing_prefix.size());
  return std::make_unique<Bpe>(vocabulary.spellings, std::move(merges), std::move(settings));
}

Pointer read_unigram(ComponentFields& fields, const JsonVocabulary& vocabulary) {
  const Json& scored = fields.array("vocab");
  std::optional<TokenId> unknown;
  if (fields.find("unk_id") != nullptr && !scored.empty())
    unknown = static_cast<TokenId>(fields.count("unk_id", 0, scored.size() - 1, std::nullopt));
  std::vector<double> scores;
  std::vector<PrefixMatcher::Spelling> pieces;
  for (std::size_t i = 0; i < scored.size(); ++i) {
    scores.push_back(scored[i][1].get<double>());
    pieces.push_back({vocabulary.spellings[i], static_cast<TokenId>(i)});
  }
  const bool falls_back = fields.flag("byte_fallback", false);
  return std::make_unique<Unigram>(std::move(pieces), std::move(scores), unknown,
                                   falls_back ? byte_tokens(vocabulary) : ByteTokens());
}

Pointer read_word_piece(ComponentFields& fields, const JsonVocabulary& vocabulary) {
  constexpr std::size_t kMaxWord = std::size_t{1} << 30;
  WordPiece::Settings settings;
  settings.unknown = vocabulary.spellings.find(fields.text("unk_token"));
  settings.max_characters = fields.count("max_input_chars_per_word", 0, kMaxWord, 100);
  const std::string prefix = fields.text("continuing_subword_prefix", "##");
  std::vector<PrefixMatcher::Spelling> beginnings, continuations;
  for (std::size_t i = 0; i < vocabulary.spellings.size(); ++i) {
    const std::string_view spelling = vocabulary.spellings[i];
    const auto id = static_cast<TokenId>(i);
    if (vocabulary.spellings.find(spelling) != id) continue;  // an added token alone
    beginnings.push_back({spelling, id});
    if (spelling.starts_with(prefix)) continuations.push_back({spelling.substr(prefix.size()), id});
  }
  return std::make_unique<WordPiece>(PrefixMatcher(std::move(beginnings)),
                                     PrefixMatcher(std::move(continuations)), settings);
}

Pointer read_word_level(ComponentFields& fields, const JsonVocabulary& vocabulary) {
  return std::make_unique<WordLevel>(vocabulary.spellings,
                                     vocabulary.spellings.find(fields.text("unk_token")));
}

struct Kind {
  std::string_view type;
  Pointer (*read)(ComponentFields& fields, const JsonVocabulary& vocabulary);
};

constexpr std::array kKinds = {
    Kind{"BPE", read_bpe},
    Kind{"Unigram", read_unigram},
    Kind{"WordPiece", read_word_piece},
    Kind{"WordLevel", read_word_level},
};

}  // namespace

std::string_view model_type(ComponentFields& fields) {
  if (!fields.type().empty()) return fields.type();
  if (fields.find("merges") != nullptr) return "BPE";
  if (fields.find("continuing_subword_prefix") != nullptr) return "WordPiece";
  const Json* vocab = fields.find("vocab");
  return vocab != nullptr && vocab->is_array() ? "Unigram" : "WordLevel";
}

JsonVocabulary read_json_vocabulary(ComponentFields& fields, const std::vector<AddedToken>& added) {
  VocabularyReader reader(fields);
  if (model_type(fields) == "Unigram") {
    add_scored(fields, reader);
  } else {
    for (const auto& [spelling, id] : fields.object("vocab").items()) {
      reader.add(spelling, id);
      if (fields.failed()) break;
    }
  }
  for (const AddedToken& token : added) reader.add(token.content, static_cast<std::size_t>(token.id), false);
  return reader.take();
}

std::vector<JsonMerge> read_json_merges(ComponentFields& fields) {
  const Json& array = fields.array("merges");
  std::vector<JsonMerge> merges;
  if (array.size() > kMaxVocabulary)
    fields.fail_key("merges", sentence("has more than ", kMaxVocabulary, " entries"));
  for (const Json& merge : array) {
    if (fields.failed()) break;
    const auto* text = merge.get_ptr<const std::string*>();
    if (text != nullptr && text->starts_with("#version")) continue;
    const auto parts = parts_of(merge);
    if (parts) {
      merges.push_back({parts->first, parts->second});
    } else {
      fields.fail_key("merges", sentence("has at ", merges.size(),
                                         " neither two tokens with a space between nor a pair"));
    }
  }
  return merges;
}

std::unique_ptr<WordModel> read_model(ComponentFields& fields, const JsonVocabulary& vocabulary) {
  for (const Kind& kind : kKinds) {
    if (kind.type != model_type(fields)) continue;
    auto made = kind.read(fields, vocabulary);
    return fields.failed() ? nullptr : std::move(made);
  }
  fields.fail_unknown();
  return nullptr;
}

}  // namespace partita::internal
