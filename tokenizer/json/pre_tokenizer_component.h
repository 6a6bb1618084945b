// Pre-tokenizers of tokenizer.json: they split a text into the pieces that the model encodes one by one.
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/json/fields.h"
#include "tokenizer/json/pieces.h"

namespace partita::internal {

class PreTokenizerComponent {
 public:
  virtual ~PreTokenizerComponent() = default;

  /// Errors: those of JsonExpression::find() and Pieces::change().
  virtual Result<void> split(Pieces& pieces) const = 0;
};

/// The pre-tokenizer of a component, by its "type". An error is kept by `fields`; the result is null then.
std::unique_ptr<PreTokenizerComponent> read_pre_tokenizer(ComponentFields fields);

}  // namespace partita::internal
