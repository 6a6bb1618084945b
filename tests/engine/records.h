// Records of what transformers computed in f32 (tests/oracles/README.md), and how far the engine may be from
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"

namespace partita::internal::testing {

/// The allowed difference of a model from the record.
struct Bounds {
  double mean;    // of |difference of log-probabilities|
  double logits;  // of a row, relative to its largest
  double same_top;
};

/// Limits: with 8-bit values in the cache (measured 0.0080 on SmolLM2, 0.0133 on Gemma), otherwise (1.8e-3 at
/// most), and with --exact (4.4e-6), each with a margin.
Bounds bounds_of(const Transformer& model);

/// Tiles round both factors of every product of a prompt to the 8 bits of bf16, an error of up to 2^-9 each.
/// Tiny models are affected most, because their weights are random and their logits are close:
/// log-probabilities by 0.042 on average (of 7 tokens; 0.031 of 300), logits by 0.019, and 6 of 300 most
/// likely tokens differ.
Bounds tiny_bounds_of(const Transformer& model);

/// path: below tests/engine/data, with its extension.
nlohmann::json read_record(const std::string& path);

/// Log-probabilities and most probable tokens of a sequence, as in a record; the first log-probability is
/// NaN.
struct Scores {
  std::vector<double> logprobs;
  std::vector<std::int32_t> top_ids;
};

/// The first n positions of a recorded sequence.
Scores recorded(const nlohmann::json& sequence, std::size_t n);

/// Scores of `ids` from their hidden states [tokens][hidden].
Scores scores_of(const Transformer& model, std::span<const float> hidden, std::span<const std::int32_t> ids,
                 int threads);

struct Agreement {
  double mean = 0;  // of |difference of log-probabilities|
  double largest = 0;
  double same_top = 0;  // share of positions
};

Agreement compare(const Scores& found, const Scores& expected);

/// Fails the test if the difference is beyond the bounds.
void check(const Agreement& agreement, const Transformer& model, const Bounds& bounds);

/// Checks log-probabilities and logits of a recorded sequence.
void check_sequence(const Transformer& model, std::span<const float> hidden, const nlohmann::json& sequence,
                    const Bounds& bounds);

}  // namespace partita::internal::testing
