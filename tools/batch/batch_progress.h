// Progress of a batch: a bar on a terminal, else a line from time to time.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "tools/batch/batch_input.h"
#include "tools/common.h"

namespace tools {

/// Counts of finished rows and tokens.
struct BatchCounts {
  std::size_t rows = 0, errors = 0, abstained = 0;  // of this run, on the disk where the output is a file
  std::size_t skipped = 0;                          // rows of the input that were done before
  std::size_t found = 0;                            // rows that the output had at the start
  std::size_t tokens = 0;                           // generated
};

/// "[####......] 120 of about 300 rows, 2 errors, 410 tokens/s, 2:05 left" (bar: with the bar, which needs
/// the total). Rows that the output had at the start are done. seconds: since the run began.
std::string progress_text(const BatchCounts& counts, std::optional<RowTotal> total_rows, double seconds,
                          bool bar);

class BatchProgress {
 public:
  /// quiet: shows nothing. every: seconds between lines if stderr is no terminal.
  BatchProgress(bool quiet, double every);
  ~BatchProgress() { clear(); }
  BatchProgress(const BatchProgress&) = delete;
  BatchProgress& operator=(const BatchProgress&) = delete;

  /// True if it is time for show().
  bool due() const;
  void show(const BatchCounts& counts, std::optional<RowTotal> total_rows);
  /// Erases the bar, so that something else can be printed.
  void clear();
  double seconds() const;  // since construction

 private:
  using Clock = std::chrono::steady_clock;
  bool terminal_, quiet_;
  Clock::duration every_;
  Clock::time_point start_ = Clock::now(), shown_ = start_;
  std::size_t drawn_ = 0;  // characters of the visible bar
};

}  // namespace tools
