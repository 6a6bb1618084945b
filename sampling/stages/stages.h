// The stages that Chain::create knows. A new sampler is a file with its make_..., declared here, and its line
// in the table of stages.cc.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "partita/result.hpp"
#include "sampling/chain.h"

namespace partita {

/// A stage, or null if its number is neutral, or kInvalidArgument if it is out of its limits.
using MadeStage = Result<std::shared_ptr<const Stage>>;

MadeStage make_repeat_penalty(const SamplingOptions& options);
MadeStage make_temperature(const SamplingOptions& options);
MadeStage make_top_k(const SamplingOptions& options);
MadeStage make_top_p(const SamplingOptions& options);
MadeStage make_min_p(const SamplingOptions& options);

struct StageMaker {
  StageInfo info;
  MadeStage (*make)(const SamplingOptions& options);
};
std::span<const StageMaker> stage_makers();

/// "top_p is 1.5, but it must be above 0 and at most 1"
Error bad_option(std::string_view name, std::string_view value, std::string_view limits);

}  // namespace partita
