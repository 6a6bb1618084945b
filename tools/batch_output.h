// The output file of a batch: whole lines only, and a memory of what is already there.
#pragma once

#include <cstdio>
#include <partita/partita.hpp>
#include <string>
#include <unordered_map>

#include "tools/common.h"

namespace tools {

class BatchOutput {
 public:
  /// Opens (or creates) the file, reads which ids it holds and cuts a torn last line off; "-" is stdout,
  /// which holds nothing. Errors: kIo; kBadFile where a line is not of a batch; kInvalidArgument where
  /// another process writes it.
  static partita::Result<BatchOutput> open(const std::string& path);

  BatchOutput(BatchOutput&& other) noexcept;
  BatchOutput& operator=(BatchOutput&&) = delete;
  ~BatchOutput();

  /// Whether the file held a row of this id that has not been asked about yet.
  bool take_finished(const Json& id);

  /// Writes one line and hands it to the operating system.
  partita::Result<void> write(const Json& row);

 private:
  explicit BatchOutput(std::FILE* file, std::string path) : file_(file), path_(std::move(path)) {}
  partita::Result<void> read_finished(int fd);

  std::FILE* file_;
  std::string path_;
  std::unordered_map<std::string, std::size_t> finished_;  // id as JSON: rows of it
};

}  // namespace tools
