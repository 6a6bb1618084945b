// The input of a batch: a file or stdin, perhaps compressed, read line by line.
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
  /// "-": stdin. Errors: kIo; kInvalidArgument if it is the same file as `out`.
  static partita::Result<BatchInput> open(const std::string& in, const std::string& out);

  BatchInput(BatchInput&& other) noexcept;
  BatchInput& operator=(BatchInput&&) = delete;
  ~BatchInput();

  /// Like LineReader::next(), but skips blank lines.
  LineEnd next(std::string& line, bool wait);
  /// After kError.
  partita::Error error() const;

  std::size_t line_number() const { return line_number_; }  // of the line given last, from 1
  /// The total number of rows; nothing if the input is no file. The first call counts the rows of an
  /// uncompressed file of moderate size. For other files the number is extrapolated from the rows read so
  /// far, until the end was read.
  std::optional<RowTotal> total_rows();

 private:
  BatchInput(int fd, std::string path);
  std::optional<std::size_t> count_rows() const;

  int fd_;
  std::string path_;
  std::optional<std::size_t> size_;  // bytes, if the input is a file
  off_t start_ = 0;                  // where in the file the input begins
  std::optional<std::size_t> counted_;
  bool count_tried_ = false;
  LineReader lines_;
  std::size_t line_number_ = 0, rows_ = 0;
  bool ended_ = false;
};

}  // namespace tools
