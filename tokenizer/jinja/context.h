// Converts the caller's JSON to template values with provenance.
#pragma once

#include <cstdint>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// context["strftime_now"] in seconds; nullopt if it is not an integer.
std::optional<std::int64_t> time_of(const nlohmann::ordered_json& context);

/// The context's variables. All strings count as from a message, except those from the model's files
/// (bos_token and all names that end in "_token") and a message's role if it is an identifier. The context
/// must outlive the scope.
ScopePtr variables_of(Runtime& runtime, const nlohmann::ordered_json& context);

}  // namespace partita::internal::jinja
