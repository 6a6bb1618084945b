// Tokens of a vocabulary: ids, kinds, and the special ones.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace partita::internal {

using TokenId = std::int32_t;

enum class TokenKind : std::uint8_t { kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte };

/// The special tokens, from the model's metadata.
struct SpecialIds {
  std::optional<TokenId> bos, eos, unknown, pad;
  std::vector<TokenId> end_of_generation;  // EOS, EOT and similar: each ends the generation; sorted
  bool add_bos = false;                    // a prompt starts with BOS
  bool add_eos = false;
};

}  // namespace partita::internal
