// Speculative decoding (Leviathan et al. 2023): draft tokens of a sequence are verified in one step, and
// accepted as long as they are the tokens that the sequence chooses itself. Every token is drawn under the
// key of its position, so an answer has the same bytes with any draft.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace partita::internal {

inline constexpr std::size_t kMaxDraftTokens = 16;  // of one call of draft()

struct DraftToken {
  std::int32_t id = -1;
  double probability = 0;  // estimate: that it is accepted if those before it are
};

/// How many draft tokens a step can use, and what they save and cost, in seconds.
struct DraftTerms {
  std::size_t max_tokens = 0;  // draft tokens wanted
  double per_token = 0;        // time of a token without speculation
  double per_row = 0;          // time of one more row in the step
};

/// Makes the draft tokens of one sequence. Not for two threads at once.
class Drafter {
 public:
  virtual ~Drafter() = default;

  /// Draft tokens after ids, which begin with the ids of the last call: what came since tells how many of its
  /// tokens were accepted. Valid until the next call.
  virtual std::span<const DraftToken> draft(std::span<const std::int32_t> ids, const DraftTerms& terms) = 0;
};

}  // namespace partita::internal
