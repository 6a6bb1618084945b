// Normalizers of tokenizer.json: they change a text before it is split.
#pragma once

#include <memory>
#include <string>

#include "partita/result.hpp"
#include "tokenizer/json/fields.h"

namespace partita::internal {

class Normalizer {
 public:
  virtual ~Normalizer() = default;

  /// Changes valid UTF-8 in place. Errors: kOutOfMemory; those of JsonExpression::find().
  virtual Result<void> normalize(std::string& text) const = 0;
};

/// The normalizer of a component, by its "type". An error is kept by `fields`; the result is null then.
std::unique_ptr<Normalizer> read_normalizer(ComponentFields fields);

}  // namespace partita::internal
