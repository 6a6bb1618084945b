// The samplers (logits processors) of this library with their names and options. known_samplers() lists them,
// so that programs can generate flags, keys and help.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace partita {

/// The value of an option: a number, texts, or (id, number) pairs.
using SamplingValue =
    std::variant<double, std::vector<std::string>, std::vector<std::pair<std::int32_t, float>>>;

enum class OptionKind : std::uint8_t {
  kNumber,       // double
  kWholeNumber,  // double without a fraction
  kTexts,        // texts
  kBiases        // (token id, number)
};

/// One option of a sampler. A sampler does nothing while all its options are neutral.
struct SamplingOption {
  std::string_view name;  // in snake_case, as a key; a flag has dashes instead
  OptionKind kind = OptionKind::kNumber;
  double neutral = 0;     // value and default of a neutral number; a list is neutral, and by default, empty
  std::string_view help;  // one line
};

/// One stage between the logits and the draw.
struct Sampler {
  std::string_view name;     // as Sampling::samplers names it
  std::string_view summary;  // one line
  std::span<const SamplingOption> options;
};

}  // namespace partita
