// The output of a batch: whole lines only, on the disk before they count.
#pragma once

#include <partita/partita.hpp>
#include <string>

#include "tools/batch/batch_ledger.h"

namespace tools {

class BatchOutput {
 public:
  /// Opens (or creates) the file, tells the ledger which rows it holds and cuts a torn last line off; "-" is
  /// stdout, which holds nothing. drop_errors: rows of errors are taken out of the file. Errors: kIo;
  /// kBadFile where a line is not of a batch; kInvalidArgument where another process writes it.
  static partita::Result<BatchOutput> open(const std::string& path, bool drop_errors, BatchLedger& ledger);

  BatchOutput(BatchOutput&& other) noexcept;
  BatchOutput& operator=(BatchOutput&&) = delete;
  ~BatchOutput();

  /// Appends a row. On failure the file is cut back to whole rows, and the error says what is kept and what
  /// to do next.
  partita::Result<void> write(const Json& row);

  /// Brings what was written to the disk, if it is a file. Once it fails, the rows since the last time are
  /// cut off, and the next run makes them again.
  partita::Result<void> sync();
  bool synced() const { return rows_ == synced_rows_; }
  std::size_t rows_since_sync() const { return rows_ - synced_rows_; }

  /// Rows that the file holds, with those that were there before, and error rows among the latter.
  std::size_t rows() const { return rows_; }
  std::size_t errors_found() const { return errors_found_; }

 private:
  BatchOutput(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  partita::Error failed(int why, std::size_t bytes, std::size_t rows);

  int fd_;
  std::string path_;
  bool is_file_ = false;
  std::size_t bytes_ = 0, rows_ = 0;  // of whole rows, in a file those found there too
  std::size_t synced_bytes_ = 0, synced_rows_ = 0;
  std::size_t errors_found_ = 0;
};

}  // namespace tools
