// Models of tokenizer.json and their vocabularies.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "tokenizer/json/added_tokens.h"
#include "tokenizer/json/fields.h"
#include "tokenizer/lookup.h"
#include "tokenizer/models/word_model.h"
#include "tokenizer/token.h"

namespace partita::internal {

/// The tokens of a model and the added ones, by id.
struct JsonVocabulary {
  StringTable spellings{0, 0};  // find() finds those of the model alone; ids without a token are empty
  std::vector<TokenKind> kinds;
};

/// The type of "model" in a file; files without it are from before WordPiece and Unigram needed one.
std::string_view model_type(ComponentFields& fields);

/// Reads "vocab" of the model and adds `added`. Errors are kept by `fields`: kBadFile for ids or spellings
/// beyond the limits, or an id that two tokens have.
JsonVocabulary read_json_vocabulary(ComponentFields& fields, const std::vector<AddedToken>& added);

/// The merges of a BPE model, as pairs of spellings.
struct JsonMerge {
  std::string_view left, right;
};
std::vector<JsonMerge> read_json_merges(ComponentFields& fields);

/// The model; `vocabulary` must outlive it. An error is kept by `fields`; the result is null then.
std::unique_ptr<WordModel> read_model(ComponentFields& fields, const JsonVocabulary& vocabulary);

}  // namespace partita::internal
