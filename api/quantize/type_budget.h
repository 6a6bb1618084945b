// The types of a model's tensors for a size or a divergence, chosen by what each does to the model. Internal
// to api/.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "api/quantize/overlay.h"
#include "api/quantize/trial.h"
#include "weights/codecs/dtype.h"

namespace partita::internal {

/// What the types together must keep. One of the two.
struct SizeGoal {
  double bits = 0;          // per weight, of all tensors
  std::uint64_t bytes = 0;  // of all tensors
  double divergence = 0;    // mean KL divergence from the model, in nats
};

/// "4.5bpw" (bits per weight), "900MB", "1.2GB", "900MiB" or "1.2GiB". Error: kInvalidArgument.
Result<SizeGoal> parse_budget(std::string_view text);

struct ChosenTypes {
  std::vector<Dtype> types;  // of all tensors
  double divergence;         // of the whole model, measured
};

/// Chooses among `candidates` (of every tensor, fewest bits first). The divergence of each tensor alone is
/// measured in one type, and is taken to grow with its square error in others; the types with the smallest
/// sum for their size are then measured together. Errors: kInvalidArgument for a goal that the candidates
/// cannot keep, with the nearest one; those of Overlay and Trial; kCancelled.
Result<ChosenTypes> choose_types_for(const SizeGoal& goal, const QuantizePlan& plan,
                                     const std::vector<std::vector<Dtype>>& candidates, Overlay& overlay,
                                     Trial& trial, const std::function<bool(float)>& progress);

}  // namespace partita::internal
