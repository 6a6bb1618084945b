// Parser: tokens to a syntax tree, for Jinja's grammar with the extensions that transformers loads (loop
// controls, generation).
#pragma once

#include <string_view>

#include "tokenizer/jinja/ast.h"

namespace partita::internal::jinja {

/// Throws JinjaError: kBadFile with line and column; kUnsupported with the construct and its line.
Template parse_template(std::string_view source);

}  // namespace partita::internal::jinja
