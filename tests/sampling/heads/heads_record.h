// PyTorch's results for LM heads: tests/data/heads/, recorded by tests/oracles/record_heads.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal::test {

/// One case: the file, whose tensors except record.* are the head, and its recorded results. Evaluates no
/// head.
class HeadRecord {
 public:
  /// name: of a case, such as "adaptive_xl".
  static Result<HeadRecord> open(const std::string& name);

  const Gguf& file() const { return file_; }
  std::size_t rows() const { return rows_; }
  std::size_t hidden() const { return hidden_; }
  std::size_t vocab() const { return vocab_; }

  /// The hidden state of a row, [hidden].
  std::vector<float> hidden_row(std::size_t row) const;

  /// Those of `count` rows, [count][hidden].
  std::vector<float> hidden_rows(std::size_t first, std::size_t count) const;

  /// [rows] each: an id, its log-probability, the likeliest id, and the lead of its log-probability over the
  /// second.
  const std::vector<std::int32_t>& targets() const { return targets_; }
  const std::vector<float>& logprobs() const { return logprobs_; }
  const std::vector<std::int32_t>& predicts() const { return predicts_; }
  const std::vector<float>& margins() const { return margins_; }

  /// The log-probabilities of the whole vocabulary, of the first rows: [full_rows][vocab].
  std::size_t full_rows() const { return full_.size() / vocab_; }
  std::vector<float> full_row(std::size_t row) const;

 private:
  explicit HeadRecord(Gguf file) : file_(std::move(file)) {}
  Result<void> read();
  Result<std::vector<float>> read_floats(std::string_view name) const;
  Result<std::vector<std::int32_t>> read_ids(std::string_view name) const;

  Gguf file_;
  std::uint64_t seed_ = 0;
  std::size_t rows_ = 0, hidden_ = 0, vocab_ = 0;
  std::vector<std::int32_t> targets_, predicts_;
  std::vector<float> logprobs_, margins_, full_;
};

}  // namespace partita::internal::test
