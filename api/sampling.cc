// Sampling options of the public interface to those of a chain, and presets with the defaults of other
// programs.
#include "api/sampling.h"

#include <algorithm>
#include <array>

#include "sampling/chain/chain.h"
#include "sampling/chain/numbers.h"
#include "sampling/stages/stages.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

float* field_of(Sampling& sampling, std::string_view name) {
  if (name == "temperature") return &sampling.temperature;
  if (name == "top_p") return &sampling.top_p;
  if (name == "min_p") return &sampling.min_p;
  if (name == "repeat_penalty") return &sampling.repeat_penalty;
  return nullptr;
}

struct Preset {
  std::string_view name;
  std::span<const std::string_view> order;  // the samplers of that program, in its order
  std::span<const std::pair<std::string_view, double>> options;
};

// common_params_sampling in llama.cpp's common/common.h, 2026.
constexpr std::array<std::string_view, 10> kLlamaOrder = {
    "repeat_penalty", "count_penalties", "dry",   "top_n_sigma", "top_k",
    "typical_p",      "top_p",           "min_p", "xtc",         "temperature"};
constexpr std::array<std::pair<std::string_view, double>, 6> kLlamaOptions = {{{"temperature", 0.8},
                                                                               {"top_k", 40},
                                                                               {"top_p", 0.95},
                                                                               {"min_p", 0.05},
                                                                               {"penalty_last_n", 64},
                                                                               {"dry_last_n", 64}}};

constexpr std::array kPresets = {Preset{"huggingface", {}, {}},
                                 Preset{"llama.cpp", kLlamaOrder, kLlamaOptions}};

/// The order of a program, with the stages that it lacks added, so that their options still work: those
/// before the temperature in the default order come first, the others last.
std::vector<std::string> complete(std::span<const std::string_view> order) {
  std::vector<std::string> before, after;
  bool cooled = false;
  for (const StageDescriptor* stage : known_stages()) {
    const std::string_view name = stage->sampler.name;
    cooled = cooled || name == "temperature";
    if (std::find(order.begin(), order.end(), name) != order.end()) continue;
    (cooled ? after : before).emplace_back(name);
  }
  before.insert(before.end(), order.begin(), order.end());
  before.insert(before.end(), after.begin(), after.end());
  return before;
}

}  // namespace

Result<Sampling> preset(std::string_view name) {
  return catch_all([&]() -> Result<Sampling> {
    std::string known;
    for (const Preset& each : kPresets) {
      known.append(known.empty() ? "" : ", ").append(each.name);
      if (each.name != name) continue;
      Sampling sampling;
      if (!each.order.empty()) sampling.samplers = complete(each.order);
      for (const auto& [option, value] : each.options) {
        TRY(sampling.set(option, value));
      }
      return sampling;
    }
    return invalid("there is no preset '", name, "'; there are ", known);
  });
}

namespace internal {

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

}  // namespace internal

Result<void> Sampling::set(std::string_view name, SamplingValue value) {
  return catch_all([&]() -> Result<void> {
    SamplingOptions given;
    given.set(name, value);
    TRY(given.check());
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
  return catch_all([&]() -> Result<std::string> {
    auto chain = Chain::create(sampling_options(sampling));
    if (!chain) return chain.error();
    return chain->describe();
  });
}

std::span<const Sampler> known_samplers() noexcept { return samplers_of_stages(); }

}  // namespace partita
