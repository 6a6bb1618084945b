// LM heads that compute full rows of logits: a source computes every logit of some rows, and each row's
// question is answered from them. Such heads differ only in their source.
#pragma once

#include <cstddef>
#include <memory>

#include "engine/kernels/parallel.h"
#include "sampling/heads/head.h"
#include "sampling/heads/products.h"

namespace partita::internal {

/// Buffers of a source, reused between steps.
class SourceScratch {
 public:
  virtual ~SourceScratch() = default;
};

/// Computes full rows of logits. Immutable.
class LogitSource {
 public:
  virtual ~LogitSource() = default;
  virtual std::size_t vocab_size() const = 0;
  virtual std::size_t hidden_size() const = 0;
  /// Bytes of weights that a step reads, for any number of rows.
  virtual std::size_t bytes() const = 0;

  /// For up to `rows` rows at a time and `threads` workers. Null if memory runs out.
  virtual std::unique_ptr<SourceScratch> make_scratch(std::size_t rows, int threads) const = 0;

  /// Prepares the scratch for rows with these adapters. False if memory runs out.
  virtual bool prepare(const AdapterSet&, SourceScratch&) const { return true; }

  /// hidden: [rows][hidden_size]. All workers call it together; on return all of `out` is complete. A
  /// row depends neither on the other rows nor on the number of workers.
  virtual void rows(const Worker& worker, const float* hidden, std::size_t rows, SourceScratch& scratch,
                    const RowOutput& out) const = 0;
};

/// Processes questions in chunks of 16 to 64 rows, so that the scratch holds some 16 MiB of logits however
/// large the batch is; a question with guidance takes two rows. `kernels` must outlive it.
std::unique_ptr<OutputHead> make_row_head(std::unique_ptr<const LogitSource> source, const Kernels& kernels);

}  // namespace partita::internal
