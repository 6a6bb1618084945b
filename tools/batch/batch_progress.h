// How far a batch is: a bar on a terminal, now and then a line elsewhere.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "tools/batch/batch_input.h"
#include "tools/common.h"

namespace tools {

/// What is done so far.
struct BatchCounts {
  std::size_t rows = 0, errors = 0, abstained = 0;  // of this run, on the disk where the output is a file
  std::size_t skipped = 0;                          // done before
  std::size_t found = 0;                            // rows that the output held before
  std::size_t tokens = 0;                           // generated
};

/// "[####......] 120 of about 300 rows, 2 errors, 410 tokens/s, 2:05 left" (bar: with the bar, which wants to
/// know how many rows there are). Rows that the output held before are done. seconds: since the run began.
std::string progress_text(const BatchCounts& counts, std::optional<RowTotal> rows_in_all, double seconds,
                          bool bar);

class BatchProgress {
 public:
  /// Shows nothing where quiet; every: seconds between lines where stderr is no terminal.
  BatchProgress(bool quiet, double every);
  ~BatchProgress() { clear(); }
  BatchProgress(const BatchProgress&) = delete;
  BatchProgress& operator=(const BatchProgress&) = delete;

  /// Whether it is time for show().
  bool due() const;
  void show(const BatchCounts& counts, std::optional<RowTotal> rows_in_all);
  /// Wipes the bar, so that something else can be said.
  void clear();
  double seconds() const;  // since the beginning

 private:
  using Clock = std::chrono::steady_clock;
  bool terminal_, quiet_;
  Clock::duration every_;
  Clock::time_point start_ = Clock::now(), shown_ = start_;
  std::size_t drawn_ = 0;  // characters of the bar that is to be seen
};

}  // namespace tools
