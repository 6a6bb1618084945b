#include "sampling/chain/chain.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "sampling/chain/draw.h"
#include "sampling/stages/stages.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

Error unknown_stage(std::string_view name) {
  std::string known;
  for (const StageDescriptor* stage : known_stages()) {
    known.append(known.empty() ? "" : ", ").append(stage->sampler.name);
  }
  return invalid("there is no sampler '", name, "'; there are ", known);
}

using MadeStages = std::vector<std::shared_ptr<const Stage>>;

/// One for each of known_stages(), null if its options are neutral. Checks every option, whether its stage is
/// used or not.
Result<MadeStages> make_stages(const SamplingOptions& options, const Vocabulary* vocabulary) {
  TRY(options.check());
  MadeStages stages;
  for (const StageDescriptor* stage : known_stages()) {
    MadeStage made = stage->make(options, vocabulary);
    if (!made) return made.error();
    stages.push_back(*std::move(made));
  }
  return stages;
}

/// The index of a stage in known_stages(), or their number.
std::size_t stage_index(std::string_view name) {
  const auto known = known_stages();
  const auto at = std::find_if(known.begin(), known.end(),
                               [&](const auto* stage) { return stage->sampler.name == name; });
  return static_cast<std::size_t>(at - known.begin());
}

}  // namespace

Result<Chain> Chain::create(const SamplingOptions& options, const Vocabulary* vocabulary) {
  Result<MadeStages> made = make_stages(options, vocabulary);
  if (!made) return made.error();
  Chain chain;
  chain.greedy_ = options.real("temperature") == 0;
  const auto add = [&](std::size_t index) {
    const std::shared_ptr<const Stage>& stage = (*made)[index];
    if (stage == nullptr) return;
    chain.stages_.push_back(stage);
    chain.needs_probability_ = chain.needs_probability_ || stage->needs_probability();
  };
  const auto begin = options.samplers.begin(), end = options.samplers.end();
  if (std::find(begin, end, "constraint") == end) add(stage_index("constraint"));
  for (auto name = begin; name != end; ++name) {
    const std::size_t index = stage_index(*name);
    if (index == known_stages().size()) return unknown_stage(*name);
    if (std::find(begin, name, *name) != name) {
      return invalid("the sampler '", *name, "' is named twice, but each can be used once");
    }
    add(index);
  }
  return chain;
}

ChainState::ChainState(const ChainState& other) {
  stages_.reserve(other.stages_.size());
  for (const auto& state : other.stages_) stages_.push_back(state == nullptr ? nullptr : state->clone());
}

ChainState Chain::make_state() const {
  ChainState state;
  bool remembers = false;
  for (const auto& stage : stages_) {
    state.stages_.push_back(stage->make_state());
    remembers = remembers || state.stages_.back() != nullptr;
  }
  if (!remembers) state.stages_.clear();
  return state;
}

void Chain::accept(const Choice& choice, ChainState& state) const {
  for (std::size_t i = 0; i < state.stages_.size(); ++i) stages_[i]->accept(choice, state.of(i));
}

Result<void> Chain::filter(const LogitRow& logits, const StageContext& context, const ChainState* state,
                           Candidates& row) const {
  TRY(row.start(logits, *context.kernels));
  if (context.observer != nullptr) context.observer->record(row, *context.kernels, "model");
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const Stage* stage = stages_[i].get();
    stage->apply(row, context, state == nullptr ? nullptr : state->of(i));
    if (row.problem()) return *row.problem();
    if (row.max() == -std::numeric_limits<float>::infinity()) {
      return Error{ErrorCode::kBadNumbers, stage->describe() + " leaves no token to choose from"};
    }
    if (!std::isfinite(row.max())) {
      return Error{ErrorCode::kBadNumbers,
                   "after " + stage->describe() + " the largest logit is not a finite number"};
    }
    if (context.observer != nullptr) context.observer->record(row, *context.kernels, stage->describe());
  }
  return {};
}

Result<Choice> Chain::choose(const LogitRow& logits, const StageContext& context, const ChainState* state,
                             Candidates& scratch) const {
  TRY(filter(logits, context, state, scratch));
  if (greedy_) return Choice{scratch.id(scratch.best()), 1};
  const std::size_t index = draw(scratch, context.key);
  const bool asked = context.probability || needs_probability_;
  return Choice{scratch.id(index), asked ? probability(scratch, *context.kernels, index) : 0};
}

Result<void> Chain::distribution(const LogitRow& logits, const StageContext& context, const ChainState* state,
                                 Candidates& scratch, std::span<float> probabilities) const {
  if (probabilities.size() != logits.logits.size()) {
    return invalid("the output holds ", probabilities.size(), " probabilities, but there are ",
                   logits.logits.size(), " logits");
  }
  TRY(filter(logits, context, state, scratch));
  std::fill(probabilities.begin(), probabilities.end(), 0.0F);
  if (greedy_) {
    probabilities[static_cast<std::size_t>(scratch.id(scratch.best()))] = 1;
    return {};
  }
  const double total = sum_weights(scratch, *context.kernels, scratch.scratch.sums);
  std::array<float, kLogitTile> weights;
  for (std::size_t first = 0; first < scratch.count(); first += kLogitTile) {
    const std::size_t n = tile_weights(scratch, *context.kernels, first / kLogitTile, weights.data());
    for (std::size_t i = 0; i < n; ++i) {
      const auto id = static_cast<std::size_t>(scratch.id(first + i));
      probabilities[id] = static_cast<float>(static_cast<double>(weights[i]) / total);
    }
  }
  return {};
}

LogitsNeeded Chain::logits_needed(const StageContext& context) const {
  double temperature = 1;
  std::size_t lowered = 0;
  std::optional<LogitsNeeded> cut;  // of the first stage that removes candidates
  bool needs_all_of_it = false;     // a later stage needs all that remain
  for (const auto& stage : stages_) {
    const LogitsNeeded needed = stage->logits_needed(context);
    if (cut) {
      needs_all_of_it |= needed.kind == LogitsNeeded::kAll || needed.kind == LogitsNeeded::kLower;
    } else if (needed.kind == LogitsNeeded::kAll) {
      return {};
    } else if (needed.kind == LogitsNeeded::kLower) {
      lowered += needed.lowered;
    } else if (needed.kind == LogitsNeeded::kEach) {
      temperature *= needed.temperature;
    } else {
      if (!greedy_ && needed.kind == LogitsNeeded::kNucleus && stage != stages_.back()) return {};
      cut = needed;
      cut->distance *= temperature;
      cut->temperature = temperature;
    }
  }
  // Ids that no stage lowers keep their order. `lowered` ids may fall behind, so as many more candidates are
  // needed.
  if (greedy_ && !needs_all_of_it)
    return {.kind = LogitsNeeded::kLargest, .count = 1 + lowered, .lowered = lowered};
  if (!cut) cut = {.kind = LogitsNeeded::kEach, .temperature = temperature};
  if (greedy_ && cut->kind == LogitsNeeded::kNucleus) return {};
  if (lowered > 0 && cut->kind != LogitsNeeded::kLargest) return {};
  cut->count += lowered;
  cut->lowered = lowered;
  return *cut;
}

std::string Chain::shapes_draws() const {
  for (const auto& stage : stages_) {
    if (known_stages()[stage_index(stage->name())]->shapes_draws) return stage->describe();
  }
  return {};
}

std::string Chain::describe() const {
  std::string text;
  for (const auto& stage : stages_) text.append(text.empty() ? "" : ", ").append(stage->describe());
  if (greedy_) text.append(text.empty() ? "" : ", ").append("temperature 0");
  return text;
}

}  // namespace partita::internal
