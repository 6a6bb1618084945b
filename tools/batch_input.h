// The input of a batch: a file or stdin, perhaps packed, line by line.
#pragma once

#include <optional>
#include <partita/partita.hpp>
#include <string>

#include "tools/lines.h"

namespace tools {

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
  /// How many rows there are in all, from how far into the file those read so far have led. Exact at its end;
  /// nothing where the input is no file.
  std::optional<double> rows_in_all() const;

 private:
  BatchInput(int fd, std::string path);

  int fd_;
  std::string path_;
  std::optional<std::size_t> size_;  // in bytes, of what is a file
  LineReader lines_;
  std::size_t line_number_ = 0, rows_ = 0;
  bool ended_ = false;
};

}  // namespace tools
