// The descriptor that each sampler file (logits processor) of this folder defines, and the table of all
// samplers.
//
// A sampler is one file here and its name in the list of sampling/CMakeLists.txt, at its position in the
// default order. The file `name`.cc defines the stage and `extern const StageDescriptor name` in namespace
// stages; flags, JSON keys and help are made from that.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "partita/result.hpp"
#include "sampling/chain/chain.h"

namespace partita::internal {

/// A stage; null if its options are neutral; kInvalidArgument if an option is out of its limits.
using MadeStage = Result<std::shared_ptr<const Stage>>;

struct StageDescriptor {
  Sampler sampler;  // name, summary, options
  /// Checks the limits of its options and makes the stage. vocabulary: outlives the stage; null if the tokens
  /// are unknown (a chain that is only described or checked, or runs without a model).
  MadeStage (*make)(const SamplingOptions& options, const Vocabulary* vocabulary);
  /// Whether it truncates or reshapes the distribution for a draw. Beam search, which draws nothing, rejects
  /// such a stage.
  bool shapes_draws = false;
};

/// In the default order.
std::span<const StageDescriptor* const> known_stages();
/// Their Sampler entries, in the same order. Does not allocate.
std::span<const Sampler> samplers_of_stages() noexcept;

/// "top_p is 1.5, but it must be above 0 and at most 1"
Error bad_option(std::string_view name, std::string_view value, std::string_view limits);

/// No stage: the options are neutral.
inline MadeStage no_stage() { return std::shared_ptr<const Stage>(); }

template <class S, class... Args>
MadeStage make_stage(Args&&... args) {
  return std::shared_ptr<const Stage>(std::make_shared<S>(std::forward<Args>(args)...));
}

}  // namespace partita::internal
