// What the samplers of this library are called and what can be set: known_samplers() of partita.hpp lists
// them, so that programs make their flags, keys and help from it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace partita {

/// The value of an option: a number, texts, or ids each with a number.
using SamplingValue =
    std::variant<double, std::vector<std::string>, std::vector<std::pair<std::int32_t, float>>>;

enum class OptionKind : std::uint8_t {
  kNumber,       // double
  kWholeNumber,  // double without a fraction
  kTexts,        // texts
  kBiases        // (token id, number)
};

/// One option of a sampler. A sampler whose options are neutral does nothing.
struct SamplingOption {
  std::string_view name;  // in snake_case, as a key; a flag has dashes instead
  OptionKind kind = OptionKind::kNumber;
  double neutral = 0;     // of a number, which is also its default; lists are neutral and by default empty
  std::string_view help;  // one line
};

/// One stage between logits and draw.
struct Sampler {
  std::string_view name;     // as Sampling::samplers names it
  std::string_view summary;  // one line
  std::span<const SamplingOption> options;
};

}  // namespace partita
