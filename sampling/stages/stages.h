// What a file of this folder declares, and the table of all of them.
//
// A sampler is one file here and its name in the list of sampling/CMakeLists.txt, at its place in the default
// order. The file `name`.cc defines the stage and `extern const StageDescriptor name` in namespace stages;
// flags, JSON keys and help are made from that.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "partita/result.hpp"
#include "sampling/chain/chain.h"

namespace partita {

/// A stage, or null if its options are neutral, or kInvalidArgument if one is out of its limits.
using MadeStage = Result<std::shared_ptr<const Stage>>;

struct StageDescriptor {
  Sampler sampler;  // name, one line about it, its options
  /// Checks the limits of its options and makes the stage. vocabulary: null where the tokens are not known (a
  /// chain that is only described or checked, or runs without a model); outlives the stage.
  MadeStage (*make)(const SamplingOptions& options, const Vocabulary* vocabulary);
  /// Whether it cuts or reshapes the distribution for the sake of a draw: beam search, which draws nothing,
  /// refuses it.
  bool shapes_draws = false;
};

/// In the default order.
std::span<const StageDescriptor* const> known_stages();
/// Their samplers, in the same order. Allocates nothing.
std::span<const Sampler> samplers_of_stages() noexcept;

/// "top_p is 1.5, but it must be above 0 and at most 1"
Error bad_option(std::string_view name, std::string_view value, std::string_view limits);

/// No stage, since its options are neutral.
inline MadeStage no_stage() { return std::shared_ptr<const Stage>(); }

template <class S, class... Args>
MadeStage make_stage(Args&&... args) {
  return std::shared_ptr<const Stage>(std::make_shared<S>(std::forward<Args>(args)...));
}

}  // namespace partita
