// Rows of logits that tests and oracles share: tests/oracles/rows.py writes the same ones, bit for bit.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kernels/kernels.h"
#include "partita/softmax.hpp"
#include "sampling/softmax/divergence.h"
#include "sampling/softmax/gumbel.h"
#include "sampling/softmax/online.h"
#include "sampling/softmax/softmax.h"
#include "sampling/softmax/sparse.h"
#include "sampling/vocabulary.h"

namespace partita::internal::test {

// Functions that exist twice: in the public interface, and with a table of kernels.
using partita::cross_entropy, internal::cross_entropy;
using partita::cross_entropy_gradient, internal::cross_entropy_gradient;
using partita::entmax, internal::entmax;
using partita::entropy, internal::entropy;
using partita::gumbel_max, internal::gumbel_max;
using partita::kl_divergence, internal::kl_divergence;
using partita::log_softmax, internal::log_softmax;
using partita::softmax, internal::softmax;

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Steele, Lea & Flood 2014.
std::uint64_t splitmix64(std::uint64_t x);

/// Number `i` of a uniform stream in [0, 1), and of a normal one.
double uniform_at(std::uint64_t i);
float normal_at(std::uint64_t i);

/// Logits [vocab] of a kind: normal, peaked, ties, equal, masked.
std::vector<float> row(std::string_view kind, std::uint64_t seed, std::size_t vocab);

/// A few ids, the first of them twice, and one outside the vocabulary.
std::vector<std::int32_t> history(std::uint64_t seed, std::size_t vocab);

/// A history with repetitions, and the length of its prompt.
struct RepeatingHistory {
  std::vector<std::int32_t> ids;
  std::size_t prompt_size = 0;
};
RepeatingHistory repeating_history(std::uint64_t seed, std::size_t vocab);

/// The bytes of an id in a synthetic vocabulary: up to four letters of eight, or none.
std::string token_text(std::int32_t id);

/// `size` such ids, of which 2 and the last one end an answer.
class SyntheticVocabulary : public Vocabulary {
 public:
  explicit SyntheticVocabulary(std::size_t size);
  std::size_t size() const override { return texts_.size(); }
  std::string_view text(std::int32_t id) const override { return texts_[static_cast<std::size_t>(id)]; }
  std::span<const std::int32_t> ends() const override { return ends_; }

 private:
  std::vector<std::string> texts_;
  std::vector<std::int32_t> ends_;
};

/// FNV-1a of the ids as little-endian 32-bit integers, in hexadecimal digits.
std::string hash_of(const std::vector<std::int32_t>& ids);

/// The ids with a probability above 0.
std::vector<std::int32_t> support_of(const std::vector<float>& probabilities);

/// Every table of kernels that this machine can run.
struct NamedKernels {
  std::string name;
  const Kernels* kernels;
};
std::vector<NamedKernels> all_kernels();

/// The content of a file under tests/data/.
std::string read_data(const std::string& path);

}  // namespace partita::internal::test
