// The summary of a model file: what people want to know before they read its metadata.
#pragma once

#include <nlohmann/json.hpp>

#include "weights/gguf/gguf.h"

namespace partita::internal {

/// Adds to an empty object:
/// {"family","supported","parameters","types":[{"type","tensors","share"}],"context_length","vocabulary",
/// "chat_template":{"kind","tools"},"memory":[{"context","weights_bytes","cache_bytes"}]}
/// supported: whether the family, the types and the tensors are. share: of the parameters. null: what the
/// file does not have. memory: with the default cache; empty for a model that is not supported.
void put_summary(const Gguf& file, nlohmann::ordered_json& out);

}  // namespace partita::internal
