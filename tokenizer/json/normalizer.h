// Normalizers of tokenizer.json: they change a text before it is split.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "partita/result.hpp"
#include "tokenizer/json/fields.h"

namespace partita::internal {

class Normalizer {
 public:
  virtual ~Normalizer() = default;

  /// Changes valid UTF-8 in place. Errors: kOutOfMemory; kUnsupported if a step makes it longer than `limit`
  /// bytes; those of JsonExpression::find().
  Result<void> normalize(std::string& text, std::size_t limit) const;

 private:
  /// May stop where the text is longer than `limit`; must, where it can become many times longer.
  virtual Result<void> change(std::string& text, std::size_t limit) const = 0;
};

/// The normalizer of a component, by its "type". An error is kept by `fields`; the result is null then.
std::unique_ptr<Normalizer> read_normalizer(ComponentFields fields);

}  // namespace partita::internal
