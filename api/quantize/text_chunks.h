// A text as the chunks on which models are measured. Internal to api/.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "api/loaded_model.h"

namespace partita::internal {

/// The text in chunks of `size` tokens, each beginning with what the model wants at the beginning of a text;
/// what is left at the end belongs to none. Errors: kInvalidArgument for a text shorter than a chunk; those
/// of Tokenizer::encode().
Result<std::vector<std::vector<TokenId>>> text_chunks(const LoadedModel& model, std::string_view text,
                                                      std::size_t size);

}  // namespace partita::internal
