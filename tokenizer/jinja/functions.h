// The functions of templates: range, namespace, dict, raise_exception, strftime_now.
#pragma once

#include <optional>
#include <string_view>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// The function of this name; nullopt for other names.
std::optional<Value> find_function(std::string_view name);

/// Refuses names that begin with an underscore, as transformers does.
void check_namespace_name(const Runtime& runtime, std::string_view name);

}  // namespace partita::internal::jinja
