// The public options as the chain takes them.
#include <cmath>
#include <limits>

#include "api/guard.h"
#include "api/sequence.h"
#include "sampling/numbers.h"
#include "sampling/stages/stages.h"

namespace partita {
namespace {

float* field_of(Sampling& sampling, std::string_view name) {
  if (name == "temperature") return &sampling.temperature;
  if (name == "top_p") return &sampling.top_p;
  if (name == "min_p") return &sampling.min_p;
  if (name == "repeat_penalty") return &sampling.repeat_penalty;
  return nullptr;
}

}  // namespace

SamplingOptions sampling_options(const Sampling& sampling) {
  SamplingOptions options;
  options.set("temperature", sampling.temperature);
  options.set("top_k", sampling.top_k);
  options.set("top_p", sampling.top_p);
  options.set("min_p", sampling.min_p);
  options.set("repeat_penalty", sampling.repeat_penalty);
  for (const auto& [name, value] : sampling.options) options.set(name, value);
  if (!sampling.samplers.empty()) options.samplers = sampling.samplers;
  return options;
}

Result<void> Sampling::set(std::string_view name, SamplingValue value) {
  return guarded([&]() -> Result<void> {
    SamplingOptions given;
    given.set(name, value);
    if (Result<void> checked = given.check(); !checked) return checked;
    options.erase(std::string(name));
    if (name == "top_k") {
      top_k = static_cast<int>(given.whole(name));
    } else if (float* field = field_of(*this, name)) {
      *field = given.real(name);
    } else {
      options.emplace(name, std::move(value));
    }
    return {};
  });
}

Result<std::string> describe(const Sampling& sampling) {
  return guarded([&]() -> Result<std::string> {
    auto chain = Chain::create(sampling_options(sampling));
    if (!chain) return chain.error();
    return chain->describe();
  });
}

std::vector<Sampler> known_samplers() {
  std::vector<Sampler> all;
  for (const StageDescriptor* stage : known_stages()) all.push_back(stage->sampler);
  return all;
}

}  // namespace partita
