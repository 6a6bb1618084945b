// Heads that answer from whole rows: a source computes every logit of some rows, and each row's question is
// answered from them. What differs between such heads is the source alone.
#pragma once

#include <cstddef>
#include <memory>

#include "engine/kernels/parallel.h"
#include "sampling/heads/head.h"

namespace partita {

/// Where the logits of some rows go, and the maxima of their blocks of kBlockValues.
struct RowOutput {
  float* logits = nullptr;  // [rows][ld]
  std::size_t ld = 0;
  float* maxima = nullptr;  // [rows][blocks], or null: not wanted
  std::size_t blocks = 0;
};

/// Buffers of a source, reused from step to step.
class SourceScratch {
 public:
  virtual ~SourceScratch() = default;
};

/// Computes whole rows of logits. Immutable.
class LogitSource {
 public:
  virtual ~LogitSource() = default;
  virtual std::size_t vocab_size() const = 0;
  virtual std::size_t hidden_size() const = 0;
  /// Of the weights that rows take, however many there are.
  virtual std::size_t bytes() const = 0;

  /// For up to `rows` rows at a time and `threads` workers. Null when there is no such memory.
  virtual std::unique_ptr<SourceScratch> make_scratch(std::size_t rows, int threads) const = 0;

  /// hidden: [rows][hidden_size]. All workers call it together; on return all of `out` is complete. What
  /// stands in a row depends neither on the other rows nor on the number of workers.
  virtual void rows(const Worker& worker, const float* hidden, std::size_t rows, SourceScratch& scratch,
                    const RowOutput& out) const = 0;
};

/// Rows are taken 16 to 64 at a time, so that the scratch holds some 16 MiB of logits however many questions
/// a step has; a question with guidance takes two. `kernels` must outlive it.
std::unique_ptr<OutputHead> make_row_head(std::unique_ptr<const LogitSource> source, const Kernels& kernels);

}  // namespace partita
