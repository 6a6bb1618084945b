// Rows of logits that tests and oracles share: tests/oracles/rows.py writes the same ones, bit for bit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kernels/kernels.h"

namespace partita::test {

/// Steele, Lea & Flood 2014.
std::uint64_t splitmix64(std::uint64_t x);

/// Logits [vocab] of a kind: normal, peaked, ties, equal, masked.
std::vector<float> row(std::string_view kind, std::uint64_t seed, std::size_t vocab);

/// A few ids, the first of them twice, and one that the vocabulary lacks.
std::vector<std::int32_t> history(std::uint64_t seed, std::size_t vocab);

/// Every table of kernels that this machine can run.
struct NamedKernels {
  std::string name;
  const Kernels* kernels;
};
std::vector<NamedKernels> all_kernels();

/// The whole of a file under tests/data/.
std::string read_data(const std::string& path);

}  // namespace partita::test
