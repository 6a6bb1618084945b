// Guesses at the next tokens of a sequence, tried in one step and kept as far as they are what the sequence
// would have had anyway: "speculative decoding" (Leviathan et al. 2023), here with every token drawn under
// the key of its position, so that the answer is the same to the byte, whatever is guessed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

namespace partita {

struct Guess {
  std::int32_t id = -1;
  double probability = 0;  // that it is right if those before it are; an estimate
};

/// What guesses are worth in a step, in seconds.
struct GuessTerms {
  std::size_t most = 0;  // guesses wanted
  double per_token = 0;  // what a token takes without guesses
  double per_row = 0;    // what one more row of the step takes
};

/// One sequence's guesser. Not for two threads at once.
class Drafter {
 public:
  virtual ~Drafter() = default;

  /// Guesses at what follows ids: those of the last call and what has come since. Learns from that how good
  /// its guesses are. The guesses are valid until the next call.
  virtual std::span<const Guess> guess(std::span<const std::int32_t> ids, const GuessTerms& terms) = 0;
};

/// Looks for what stands at the end of the text earlier in it, and guesses that the same follows: for answers
/// that quote, as summaries and edits do. (Saxena 2023, prompt lookup decoding.)
std::unique_ptr<Drafter> make_prompt_lookup();

}  // namespace partita
