#include "sampling/chain/chain.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "sampling/chain/draw.h"
#include "sampling/stages/stages.h"

namespace partita {
namespace {

Error unknown_stage(std::string_view name) {
  std::string known;
  for (const StageDescriptor* stage : known_stages()) {
    known.append(known.empty() ? "" : ", ").append(stage->sampler.name);
  }
  return {ErrorCode::kInvalidArgument, "there is no sampler '" + std::string(name) + "'; there are " + known};
}

using MadeStages = std::vector<std::shared_ptr<const Stage>>;

/// One for each of known_stages(), null where it does nothing. Every option is checked, whether its stage is
/// used or not.
Result<MadeStages> make_stages(const SamplingOptions& options, const Vocabulary* vocabulary) {
  if (Result<void> kinds = options.check(); !kinds) return kinds.error();
  MadeStages stages;
  for (const StageDescriptor* stage : known_stages()) {
    MadeStage made = stage->make(options, vocabulary);
    if (!made) return made.error();
    stages.push_back(*std::move(made));
  }
  return stages;
}

/// The place of a stage in known_stages(), or their number.
std::size_t place_of(std::string_view name) {
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
  const auto add = [&](std::size_t place) {
    const std::shared_ptr<const Stage>& stage = (*made)[place];
    if (stage == nullptr) return;
    chain.stages_.push_back(stage);
    chain.asks_probability_ = chain.asks_probability_ || stage->asks_probability();
  };
  const auto begin = options.samplers.begin(), end = options.samplers.end();
  if (std::find(begin, end, "constraint") == end) add(place_of("constraint"));
  for (auto name = begin; name != end; ++name) {
    const std::size_t place = place_of(*name);
    if (place == known_stages().size()) return unknown_stage(*name);
    if (std::find(begin, name, *name) != name) {
      return Error{ErrorCode::kInvalidArgument,
                   "the sampler '" + *name + "' is named twice, but each can be used once"};
    }
    add(place);
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
  if (Result<void> started = row.start(logits, *context.kernels); !started) return started;
  if (context.observer != nullptr) context.observer->see(row, *context.kernels, "model");
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const Stage* stage = stages_[i].get();
    stage->apply(row, context, state == nullptr ? nullptr : state->of(i));
    if (row.problem()) return *row.problem();
    if (row.max() == -std::numeric_limits<float>::infinity()) {
      return Error{ErrorCode::kBadNumbers, stage->describe() + " leaves no token to choose from"};
    }
    if (!std::isfinite(row.max())) {
      return Error{ErrorCode::kBadNumbers,
                   "after " + stage->describe() + " the largest logit is no finite number"};
    }
    if (context.observer != nullptr) context.observer->see(row, *context.kernels, stage->describe());
  }
  return {};
}

Result<Choice> Chain::choose(const LogitRow& logits, const StageContext& context, const ChainState* state,
                             Candidates& scratch) const {
  if (Result<void> filtered = filter(logits, context, state, scratch); !filtered) return filtered.error();
  if (greedy_) return Choice{scratch.id(scratch.best()), 1};
  const std::size_t place = draw(scratch, context.key);
  const bool asked = context.probability || asks_probability_;
  return Choice{scratch.id(place), asked ? probability(scratch, *context.kernels, place) : 0};
}

Result<void> Chain::distribution(const LogitRow& logits, const StageContext& context, const ChainState* state,
                                 Candidates& scratch, std::span<float> probabilities) const {
  if (probabilities.size() != logits.logits.size()) {
    return Error{ErrorCode::kInvalidArgument, "there is room for " + std::to_string(probabilities.size()) +
                                                  " probabilities, but there are " +
                                                  std::to_string(logits.logits.size()) + " logits"};
  }
  if (Result<void> filtered = filter(logits, context, state, scratch); !filtered) return filtered;
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

Reach Chain::reach(const StageContext& context) const {
  double temperature = 1;
  std::size_t lowered = 0;
  std::optional<Reach> cut;      // of the first stage that leaves candidates out
  bool needs_all_of_it = false;  // of what that leaves
  for (const auto& stage : stages_) {
    const Reach reach = stage->reach(context);
    if (cut) {
      needs_all_of_it |= reach.kind == Reach::kAll || reach.kind == Reach::kLower;
    } else if (reach.kind == Reach::kAll) {
      return {};
    } else if (reach.kind == Reach::kLower) {
      lowered += reach.lowered;
    } else if (reach.kind == Reach::kEach) {
      temperature *= reach.temperature;
    } else {
      if (!greedy_ && reach.kind == Reach::kNucleus && stage != stages_.back()) return {};
      cut = reach;
      cut->distance *= temperature;
      cut->temperature = temperature;
    }
  }
  // What nothing lowers keeps its place among itself: for the places that lowered ids can lose stand as many
  // more candidates.
  if (greedy_ && !needs_all_of_it) return {.kind = Reach::kLargest, .count = 1 + lowered, .lowered = lowered};
  if (!cut) cut = {.kind = Reach::kEach, .temperature = temperature};
  if (greedy_ && cut->kind == Reach::kNucleus) return {};
  if (lowered > 0 && cut->kind != Reach::kLargest) return {};
  cut->count += lowered;
  cut->lowered = lowered;
  return *cut;
}

std::string Chain::shapes_draws() const {
  for (const auto& stage : stages_) {
    if (known_stages()[place_of(stage->name())]->shapes_draws) return stage->describe();
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
