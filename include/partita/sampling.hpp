// Sampling parameters: temperature, top-k, top-p and the other samplers, their order, and the seed.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/export.hpp"
#include "partita/result.hpp"
#include "partita/samplers.hpp"

namespace partita {

/// Sampling parameters of a request. Defaults are Hugging Face's; samplers are applied in the order of
/// `samplers`.
struct PARTITA_API Sampling {
  float temperature = 1.0F;
  int top_k = 0;
  float top_p = 1.0F;
  float min_p = 0.0F;
  float repeat_penalty = 1.0F;
  /// The other options of known_samplers(), by name; a value here wins over the field of that name.
  std::map<std::string, SamplingValue> options;
  std::vector<std::string> samplers;  // empty: all, in the order of known_samplers(), Hugging Face's
  std::uint64_t seed = 0;
  std::uint64_t sequence = 0;  // draws are keyed by (seed, sequence, position)

  /// Sets an option by its name, a field or an entry of `options`. Errors: kInvalidArgument if the option is
  /// unknown, with the known ones, or if the value is of another kind. describe() checks limits.
  Result<void> set(std::string_view name, SamplingValue value);
};

/// The stages that these settings enable, in order: "temperature 0.8, top_p 0.95".
/// Error: kInvalidArgument naming the option, its value and its limits.
PARTITA_API Result<std::string> describe(const Sampling& sampling);

/// The defaults of another program, with the order of its samplers; samplers that it lacks are off.
/// "huggingface": Sampling's own. "llama.cpp". Error: kInvalidArgument with the known names.
PARTITA_API Result<Sampling> preset(std::string_view name);

/// The samplers in their default order, with their options. Static data.
PARTITA_API std::span<const Sampler> known_samplers() noexcept;

}  // namespace partita
