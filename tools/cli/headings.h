// The headings of --help.
#pragma once

#include <array>

namespace tools {

/// In the order in which they are shown.
enum class Heading {
  kModel,
  kConversion,
  kBatch,
  kMeasurement,
  kPrompt,
  kSampling,
  kSearch,
  kSpeculation,
  kEnsemble,
  kOutput,
  kHelp
};
inline constexpr std::array kHeadings = {"Model",    "Conversion", "Batch",  "Measurement",
                                         "Prompt",   "Sampling",   "Search", "Speculative decoding",
                                         "Ensemble", "Output",     "Help"};

}  // namespace tools
