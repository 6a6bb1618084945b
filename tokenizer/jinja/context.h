// The caller's JSON as template values, with their provenance.
#pragma once

#include <cstdint>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/runtime.h"

namespace partita::jinja {

/// The seconds that context["strftime_now"] gives as an integer; nothing if it gives none.
std::optional<std::int64_t> time_of(const nlohmann::ordered_json& context);

/// The context's variables. Strings are from a message, except those the model's own files give (bos_token
/// and all that end in "_token") and a message's role if it is an identifier. The context must outlive the
/// scope.
ScopePtr variables_of(Runtime& runtime, const nlohmann::ordered_json& context);

}  // namespace partita::jinja
