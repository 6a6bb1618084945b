#include "api/quantize/type_budget.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "api/quantize/type_choice.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// Progress in equal steps, of which the number is known.
class Steps {
 public:
  Steps(const std::function<bool(float)>& progress, std::size_t count) : progress_(progress), count_(count) {}

  Result<void> next() {
    const auto fraction = static_cast<float>(done_++) / static_cast<float>(count_);
    if (!progress_ || progress_(std::min(fraction, 1.0F))) return {};
    return Error{ErrorCode::kCancelled, "choosing types was stopped"};
  }

 private:
  const std::function<bool(float)>& progress_;
  std::size_t count_, done_ = 0;
};

constexpr std::size_t kMostRounds = 8;  // of measuring whole models

double bits_of(Dtype type) {
  return 8.0 * static_cast<double>(block_bytes(type)) / static_cast<double>(block_elements(type));
}

/// The type in which a tensor is tried: with errors large enough to be measured, and small enough that the
/// divergence still grows with their squares.
Dtype trial_type(const std::vector<Dtype>& candidates) {
  const auto found =
      std::find_if(candidates.begin(), candidates.end(), [](Dtype type) { return bits_of(type) >= 4; });
  return found == candidates.end() ? candidates.back() : *found;
}

Result<double> measure(const Overlay& overlay, Trial& trial) {
  auto changed = overlay.open();
  if (!changed) return changed.error();
  return trial.divergence(*std::move(changed));
}

/// The choices of one tensor, which has its own type in the overlay before and after.
Result<std::vector<TypeChoice>> choices_of(std::size_t tensor, const QuantizePlan& plan,
                                           const std::vector<Dtype>& candidates, Overlay& overlay,
                                           Trial& trial) {
  const TensorView& view = plan.model().tensors()[tensor];
  std::vector<TypeChoice> choices;
  choices.reserve(candidates.size());
  for (const Dtype type : candidates) choices.push_back({type, tensor_bytes(view, type), 0});
  if (choices.size() == 1) return choices;
  const auto tried = overlay.set(tensor, trial_type(candidates));
  if (!tried) return tried.error();
  const auto divergence = measure(overlay, trial);
  if (!divergence) return divergence.error();
  for (TypeChoice& choice : choices) {
    const auto squares = overlay.set(tensor, choice.dtype);
    if (!squares) return squares.error();
    if (*tried > 0) choice.cost = std::max(*divergence, 0.0) * *squares / *tried;
  }
  overlay.reset(tensor);
  return choices;
}

std::vector<Dtype> types_of(const std::vector<TypeChoice>& chosen) {
  std::vector<Dtype> types;
  types.reserve(chosen.size());
  for (const TypeChoice& choice : chosen) types.push_back(choice.dtype);
  return types;
}

/// The fewest bytes above `least` whose expected cost is at most `cost`; `most` if none below are.
std::uint64_t bytes_for(const TypeChooser& chooser, double cost, std::uint64_t least, std::uint64_t most) {
  while (most - least > 1) {
    const std::uint64_t middle = least + (most - least) / 2;
    (cost_of(chooser.within(middle)) > cost ? least : most) = middle;
  }
  return most;
}

/// Finds the smallest model that keeps a divergence.
class DivergenceSearch {
 public:
  DivergenceSearch(const TypeChooser& chooser, Overlay& overlay, Trial& trial)
      : chooser_(chooser), overlay_(overlay), trial_(trial) {}

  Result<ChosenTypes> run(double goal, Steps& steps) {
    std::uint64_t too_small = chooser_.least_bytes() - 1, large_enough = chooser_.most_bytes() + 1;
    std::optional<ChosenTypes> best;
    double measured_to_expected = 1;  // tensors that are changed together do more, or less
    for (std::size_t round = 0; round < kMostRounds; ++round) {
      if (large_enough - too_small <= large_enough / kPrecision) break;
      TRY(steps.next());
      const std::uint64_t guess =
          bytes_for(chooser_, goal / measured_to_expected, too_small, large_enough - 1);
      // A guess at an end would not divide the range.
      const std::uint64_t middle = too_small + (large_enough - too_small) / 2;
      const bool divides = round == 0 || (guess > too_small + 1 && guess + 1 < large_enough);
      const auto chosen = chooser_.within(std::max(divides ? guess : middle, chooser_.least_bytes()));
      auto found = try_types(chosen);
      if (!found) return found.error();
      if (cost_of(chosen) > 0) measured_to_expected = std::max(found->divergence / cost_of(chosen), 1e-3);
      if (found->divergence > goal) {
        too_small = std::max(too_small + 1, bytes_of(chosen));
        continue;
      }
      large_enough = bytes_of(chosen);
      best = std::move(*found);
    }
    if (best) return *std::move(best);
    return largest(goal);
  }

 private:
  static constexpr std::uint64_t kPrecision = 500;  // the size is found to 1/kPrecision

  Result<ChosenTypes> try_types(const std::vector<TypeChoice>& chosen) {
    ChosenTypes found{types_of(chosen), 0};
    TRY(overlay_.set_all(found.types));
    const auto divergence = measure(overlay_, trial_);
    if (!divergence) return divergence.error();
    found.divergence = *divergence;
    return found;
  }

  /// Where no guess kept the goal: the types with the most bits, or an error.
  Result<ChosenTypes> largest(double goal) {
    auto found = try_types(chooser_.within(chooser_.most_bytes()));
    if (!found || found->divergence <= goal) return found;
    return invalid("a divergence of ", rounded_text(goal), " is asked for, and the largest types reach ",
                   rounded_text(found->divergence), ": ask for a larger one");
  }

  const TypeChooser& chooser_;
  Overlay& overlay_;
  Trial& trial_;
};

/// The goal in bytes; 0 for a divergence. Error: kInvalidArgument for less than the smallest types take.
Result<std::uint64_t> bytes_of_goal(const SizeGoal& goal, const Gguf& model,
                                    const std::vector<std::vector<Dtype>>& candidates) {
  if (goal.divergence > 0) return std::uint64_t{0};
  std::uint64_t elements = 0, least = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    elements += model.tensors()[i].shape.elements();
    least += tensor_bytes(model.tensors()[i], candidates[i].front());
  }
  const auto bits = [&](std::uint64_t bytes) {
    return rounded_text(8.0 * static_cast<double>(bytes) / static_cast<double>(elements));
  };
  const std::uint64_t bytes =
      goal.bytes > 0 ? goal.bytes : static_cast<std::uint64_t>(goal.bits / 8 * static_cast<double>(elements));
  if (bytes >= least) return bytes;
  return invalid("the budget is ", bytes, " bytes, ", bits(bytes),
                 " bits per weight, and the smallest types take ", bits(least),
                 " bits per weight: give at least ", least, " bytes");
}

Result<ChosenTypes> choose_for_bytes(const TypeChooser& chooser, std::uint64_t bytes, Overlay& overlay,
                                     Trial& trial) {
  ChosenTypes chosen{types_of(chooser.within(bytes)), 0};
  TRY(overlay.set_all(chosen.types));
  const auto divergence = measure(overlay, trial);
  if (!divergence) return divergence.error();
  chosen.divergence = *divergence;
  return chosen;
}

}  // namespace

Result<SizeGoal> parse_budget(std::string_view text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  constexpr std::array kUnits = {Unit{"bpw", 0}, Unit{"MB", 1e6}, Unit{"GB", 1e9}, Unit{"MiB", 0x1p20},
                                 Unit{"GiB", 0x1p30}};
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const auto found =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& known) { return known.name == unit; });
  constexpr double kMost = 1e15;
  if (problem != std::errc() || found == kUnits.end() || !(number > 0) || number * found->bytes > kMost) {
    return invalid(
        "the budget is ", quoted(text),
        ", and must be a number of bits per weight, as 4.5bpw, or a size, as 900MB (or GB, MiB, GiB)");
  }
  SizeGoal goal;
  if (found->bytes > 0)
    goal.bytes = static_cast<std::uint64_t>(number * found->bytes);
  else
    goal.bits = number;
  return goal;
}

Result<ChosenTypes> choose_types_for(const SizeGoal& goal, const QuantizePlan& plan,
                                     const std::vector<std::vector<Dtype>>& candidates, Overlay& overlay,
                                     Trial& trial, const std::function<bool(float)>& progress) {
  const auto bytes = bytes_of_goal(goal, plan.model(), candidates);
  if (!bytes) return bytes.error();
  Steps steps(progress, candidates.size() + (goal.divergence > 0 ? kMostRounds : 1));
  std::vector<std::vector<TypeChoice>> choices;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    TRY(steps.next());
    auto own = choices_of(i, plan, candidates[i], overlay, trial);
    if (!own) return own.error();
    choices.push_back(*std::move(own));
  }
  const TypeChooser chooser(std::move(choices));
  if (goal.divergence > 0) return DivergenceSearch(chooser, overlay, trial).run(goal.divergence, steps);
  TRY(steps.next());
  return choose_for_bytes(chooser, *bytes, overlay, trial);
}

}  // namespace partita::internal
