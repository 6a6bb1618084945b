// Options of the samplers as flags and as JSON keys, generated from partita::known_samplers().
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <partita/partita.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/cli/options.h"

namespace tools {

/// --abstain-probability, --abstain-margin, --abstain-entropy and --mark-unsure.
struct AbstainFlags {
  float probability = 0, margin = 0;
  float entropy = std::numeric_limits<float>::infinity();
  bool mark = false;
  partita::AbstainRule rule() const { return {probability, margin, entropy, !mark}; }
};

/// Sampling options of generate, chat and batch. The library's defaults do not change the model's
/// distribution; the program's differ in one value: a temperature at which small models make sense, unless a
/// preset is named. No token is cut off by default.
struct SamplingFlags {
  SamplingFlags() { sampling.temperature = 0.7F; }
  partita::Sampling sampling;
  std::vector<std::pair<std::string, partita::SamplingValue>> given;  // options of the samplers, by name
  std::string preset;
  bool greedy = false;
  std::vector<std::string> stop;
  AbstainFlags abstain;
  float guidance_scale = 1;
  std::string negative_prompt;

  /// The sampling that the flags describe. Error: a value that the library refuses.
  partita::Result<partita::Sampling> resolved(std::uint64_t seed) const;
};
void add_sampling(Command command, SamplingFlags& flags);

/// Calls visit(option) for every option of every sampler.
template <class Visit>
void for_each_option(Visit&& visit) {
  for (const partita::Sampler& sampler : partita::known_samplers()) {
    for (const partita::SamplingOption& option : sampler.options) visit(option);
  }
}

/// partita::preset(), with an error that suggests the name that was probably meant.
partita::Result<partita::Sampling> named_preset(const std::string& name);
/// Checks that all `samplers` are known. Error: kInvalidArgument, with the name that was probably meant.
partita::Result<void> check_names(const partita::Sampling& sampling);

/// The value of an option from JSON. The error's message is the expected type, such as "a number".
partita::Result<partita::SamplingValue> sampling_value(partita::OptionKind kind,
                                                       const nlohmann::ordered_json& value);

}  // namespace tools
