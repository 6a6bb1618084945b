#include "sampling/chain.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/draw.h"
#include "sampling/stages.h"

namespace partita {
namespace {

Error unknown_stage(std::string_view name) {
  std::string known;
  for (const StageInfo& info : known_stages()) known.append(known.empty() ? "" : ", ").append(info.name);
  return {ErrorCode::kInvalidArgument, "there is no sampler '" + std::string(name) + "'; there are " + known};
}

/// Every number is checked, whether its stage is used or not.
Result<void> check_numbers(const SamplingOptions& options) {
  for (const StageMaker& maker : stage_makers()) {
    if (const MadeStage made = maker.make(options); !made) return made.error();
  }
  return {};
}

}  // namespace

Result<Chain> Chain::create(const SamplingOptions& options) {
  if (Result<void> numbers = check_numbers(options); !numbers) return numbers.error();
  Chain chain;
  chain.greedy_ = options.temperature == 0;
  for (auto name = options.samplers.begin(); name != options.samplers.end(); ++name) {
    const auto makers = stage_makers();
    const auto maker =
        std::find_if(makers.begin(), makers.end(), [&](const auto& m) { return m.info.name == *name; });
    if (maker == makers.end()) return unknown_stage(*name);
    if (std::find(options.samplers.begin(), name, *name) != name) {
      return Error{ErrorCode::kInvalidArgument,
                   "the sampler '" + *name + "' is named twice, but each can be used once"};
    }
    MadeStage made = maker->make(options);
    if (!made) return made.error();
    if (*made != nullptr) chain.stages_.push_back(*std::move(made));
  }
  return chain;
}

Result<void> Chain::filter(std::span<const float> logits, const StageContext& context,
                           Candidates& row) const {
  if (Result<void> started = row.start(logits, *context.kernels); !started) return started;
  for (const auto& stage : stages_) {
    stage->apply(row, context);
    if (!std::isfinite(row.max())) {
      return Error{ErrorCode::kBadNumbers,
                   "after " + stage->describe() + " the largest logit is no finite number"};
    }
  }
  return {};
}

Result<std::int32_t> Chain::choose(std::span<const float> logits, const StageContext& context,
                                   const DrawKey& key, Candidates& scratch) const {
  if (Result<void> filtered = filter(logits, context, scratch); !filtered) return filtered.error();
  if (greedy_) return scratch.id(scratch.best());
  return draw(scratch, *context.kernels, uniform(key));
}

Result<void> Chain::distribution(std::span<const float> logits, const StageContext& context,
                                 Candidates& scratch, std::span<float> probabilities) const {
  if (probabilities.size() != logits.size()) {
    return Error{ErrorCode::kInvalidArgument, "there is room for " + std::to_string(probabilities.size()) +
                                                  " probabilities, but there are " +
                                                  std::to_string(logits.size()) + " logits"};
  }
  if (Result<void> filtered = filter(logits, context, scratch); !filtered) return filtered;
  std::fill(probabilities.begin(), probabilities.end(), 0.0F);
  if (greedy_) {
    probabilities[static_cast<std::size_t>(scratch.id(scratch.best()))] = 1;
    return {};
  }
  const double total = sum_weights(scratch, *context.kernels, scratch.scratch.sums);
  std::array<float, kBlockValues> weights;
  for (std::size_t first = 0; first < scratch.count(); first += kBlockValues) {
    const std::size_t n = block_weights(scratch, *context.kernels, first / kBlockValues, weights.data());
    for (std::size_t i = 0; i < n; ++i) {
      const auto id = static_cast<std::size_t>(scratch.id(first + i));
      probabilities[id] = static_cast<float>(static_cast<double>(weights[i]) / total);
    }
  }
  return {};
}

std::string Chain::describe() const {
  std::string text;
  for (const auto& stage : stages_) text.append(text.empty() ? "" : ", ").append(stage->describe());
  if (greedy_) text.append(text.empty() ? "" : ", ").append("temperature 0");
  return text;
}

}  // namespace partita
