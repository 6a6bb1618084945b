// How a token was chosen (--explain, --confidence), as text and as JSON.
#pragma once

#include <cstddef>
#include <string>

#include "tools/common.h"

namespace tools {

/// The candidates after every sampler, as a few lines of text. Precondition: the token has an explanation.
std::string explanation_text(const partita::Model& model, const partita::Token& token, std::size_t number);

/// {"id","text","probability","runner_up","removed_by","stages":[{"stage","candidates","entropy",
/// "top":[[id,text,probability]]}]}
Json explanation_json(const partita::Model& model, const partita::Token& token);

/// {"probability","margin","entropy","unsure"}. Precondition: the token has a confidence.
Json confidence_json(const partita::Token& token);

}  // namespace tools
