// A generated token with its text and probabilities, and the reason that an answer ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "partita/explain.hpp"
#include "partita/export.hpp"

namespace partita {

using TokenId = std::int32_t;  // an index into the vocabulary, from 0

/// Why an answer ended. kNone: it has not. kEos: an end token. kStop: a stop string, or Stream::stop().
/// kLength: max_tokens, or the context. kAbstain: Request::abstain.
enum class Finish : std::uint8_t { kNone, kEos, kStop, kLength, kAbstain };

/// "none", "eos", "stop", "length" or "abstain".
PARTITA_API std::string_view name(Finish finish) noexcept;

struct Token {
  TokenId id = -1;   // an end token, or a choice too unsure, is the last token of an answer, without text
  std::string text;  // whole characters only; may be empty, may belong to earlier tokens
  float probability = 0;  // in the distribution after the samplers, with logprobs or explain; 1 for an argmax
  float logprob = 0;      // natural, in the model's own distribution; with Request::logprobs
  std::vector<std::pair<TokenId, float>>
      top;                                 // the likeliest ids with their logprobs; with Request::logprobs
  std::optional<Confidence> confidence;    // of the model's own distribution; if asked for or needed
  bool unsure = false;                     // by Request::abstain
  std::optional<Explanation> explanation;  // if asked for
  std::size_t head_bytes = 0;              // bytes of output matrix and screen read for it; 0 from ensembles
};

}  // namespace partita
