// The tables of find_method().
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/jinja/builtins.h"

namespace partita::internal::jinja::detail {

struct NamedMethod {
  std::string_view name;
  Method method;
};
const std::vector<NamedMethod>& text_methods();

}  // namespace partita::internal::jinja::detail
