// The input of a batch: a file or stdin, perhaps packed, line by line.
#pragma once

#include <sys/types.h>

#include <optional>
#include <partita/partita.hpp>
#include <string>

#include "tools/batch/lines.h"

namespace tools {

struct RowTotal {
  double rows = 0;
  bool exact = false;  // else it is an estimate
};

class BatchInput {
 public:
  /// "-": stdin. Errors: kIo; kInvalidArgument where it is the file `out` as well.
  static partita::Result<BatchInput> open(const std::string& in, const std::string& out);

  BatchInput(BatchInput&& other) noexcept;
  BatchInput& operator=(BatchInput&&) = delete;
  ~BatchInput();

  /// As LineReader::next(); blank lines are passed over.
  LineEnd next(std::string& line, bool wait);
  /// After kError.
  partita::Error error() const;

  std::size_t line_number() const { return line_number_; }  // of the line given last, from 1
  /// How many rows there are in all; nothing where the input is no file. The first call counts the rows of a
  /// file of moderate size that is not packed; those of others are estimated from how far the rows read so
  /// far reach, until the end is known.
  std::optional<RowTotal> rows_in_all();

 private:
  BatchInput(int fd, std::string path);
  std::optional<std::size_t> count_rows() const;

  int fd_;
  std::string path_;
  std::optional<std::size_t> size_;  // in bytes, of what is a file
  off_t start_ = 0;                  // where in the file the input begins
  std::optional<std::size_t> counted_;
  bool count_tried_ = false;
  LineReader lines_;
  std::size_t line_number_ = 0, rows_ = 0;
  bool ended_ = false;
};

}  // namespace tools
