// Runs a batch: passes rows from the input to partita::Batch, and answers to the output.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "tools/batch/batch_input.h"
#include "tools/batch/batch_output.h"
#include "tools/batch/batch_progress.h"
#include "tools/batch/batch_row.h"

namespace tools {

enum class RowOrder { kInput, kFinished };

/// The parts of a job. `ledger` knows which rows `output` has already.
struct BatchParts {
  const partita::Model* model;
  RowReader reader;
  BatchInput input;
  BatchLedger ledger;
  BatchOutput output;
  partita::Batch batch;
};

class BatchJob {
 public:
  /// quiet: no warnings. window: most rows between reading and writing.
  BatchJob(BatchParts parts, RowOrder order, std::size_t window, bool quiet, BatchProgress& progress);

  /// Runs to the end of the input. Errors: kCancelled, and errors of input or output; finished rows are
  /// written even then.
  partita::Result<void> run();

  const BatchCounts& counts() const { return stored_; }
  const partita::Timing& timing() const { return parts_.batch.timing(); }

 private:
  /// A row between reading and writing.
  struct Slot {
    RowId id;
    RowAnswer answer;
    std::optional<Json> line;  // the output row, once it is known
    bool failed = false;
  };

  void work(partita::Result<void>& outcome, partita::Result<void>& written);
  partita::Result<void> fill();
  partita::Result<bool> read_row();
  void take(std::variant<Row, BadRow> row);
  std::shared_ptr<Slot> queue(RowId id);
  void start(Row row);
  void handle(const partita::Batch::Event& event);
  void finish(const std::shared_ptr<Slot>& slot);
  void refuse(const std::shared_ptr<Slot>& slot, const partita::Error& error);
  partita::Result<void> write(const Slot& slot);
  partita::Result<void> write_finished(bool skip_unfinished);
  partita::Result<void> store();
  void warn_about_keys();
  bool store_due() const;

  BatchParts parts_;
  RowOrder order_;
  std::size_t window_;
  bool quiet_;
  BatchProgress* progress_;
  bool input_ended_ = false;
  std::optional<partita::Error> input_error_;
  std::deque<std::shared_ptr<Slot>> slots_;  // in output order
  std::unordered_map<partita::Batch::Ticket, std::shared_ptr<Slot>> running_;
  BatchCounts written_;  // of the rows that were written
  BatchCounts stored_;   // of those that are on the disk
  std::chrono::steady_clock::time_point stored_at_ = std::chrono::steady_clock::now();
};

}  // namespace tools
