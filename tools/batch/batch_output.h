// The output of a batch: whole lines only, synced to the disk before they count.
#pragma once

#include <partita/partita.hpp>
#include <string>

#include "tools/batch/batch_ledger.h"

namespace tools {

class BatchOutput {
 public:
  /// Opens (or creates) the file, records its rows in the ledger and truncates a torn last line; "-" is
  /// stdout, which has no rows. drop_errors: error rows are removed from the file. Errors: kIo; kBadFile if a
  /// line is no row of a batch; kInvalidArgument if another process writes the file.
  static partita::Result<BatchOutput> open(const std::string& path, bool drop_errors, BatchLedger& ledger);

  BatchOutput(BatchOutput&& other) noexcept;
  BatchOutput& operator=(BatchOutput&&) = delete;
  ~BatchOutput();

  /// Appends a row. On failure the file is truncated to whole rows, and the error says what is kept and what
  /// to do next.
  partita::Result<void> write(const Json& row);

  /// Syncs written rows to the disk, if the output is a file. If that fails, the rows since the last sync are
  /// truncated, and the next run makes them again.
  partita::Result<void> sync();
  bool synced() const { return rows_ == synced_rows_; }
  std::size_t rows_since_sync() const { return rows_ - synced_rows_; }

  /// Rows of the file, including those found when it was opened, and error rows among the latter.
  std::size_t rows() const { return rows_; }
  std::size_t errors_found() const { return errors_found_; }

 private:
  BatchOutput(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  partita::Error failed(int why, std::size_t bytes, std::size_t rows);

  int fd_;
  std::string path_;
  bool is_file_ = false;
  std::size_t bytes_ = 0, rows_ = 0;  // of whole rows, including those found in a file
  std::size_t synced_bytes_ = 0, synced_rows_ = 0;
  std::size_t errors_found_ = 0;
};

}  // namespace tools
