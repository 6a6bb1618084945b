// The options of the samplers as flags and as JSON keys, made from what the library says it knows.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <partita/partita.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/options.h"

namespace tools {

/// --abstain-probability and its companions.
struct AbstainFlags {
  float probability = 0, margin = 0;
  float entropy = std::numeric_limits<float>::infinity();
  bool mark = false;
  partita::AbstainRule rule() const { return {probability, margin, entropy, !mark}; }
};

/// --temperature and its companions, as generate, chat and batch take them. The library's defaults leave the
/// model's distribution alone; the program's differ in one thing: a temperature at which small models make
/// sense, unless a preset is named. Nothing is cut off unless it is asked for.
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

  /// With what the flags say. Error: what the library refuses.
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

/// partita::preset(), whose error here suggests the name that was meant.
partita::Result<partita::Sampling> named_preset(const std::string& name);
/// Whether all of `samplers` are known. Error: kInvalidArgument, with the name that was meant.
partita::Result<void> check_names(const partita::Sampling& sampling);

/// The value of an option from JSON. Error: what it must be, "a number", as a message.
partita::Result<partita::SamplingValue> sampling_value(partita::OptionKind kind,
                                                       const nlohmann::ordered_json& value);

}  // namespace tools
