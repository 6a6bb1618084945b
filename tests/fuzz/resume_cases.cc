// Any bytes as the output file of a batch: the first byte decides whether error rows are dropped.
#include "tools/batch/batch_resume.h"

#include <unistd.h>

#include <algorithm>

#include "tests/fuzz/support.h"
#include "tools/locked_file.h"

namespace partita::internal::fuzz {
namespace {

/// The file's contents afterwards; nothing if it was refused, and then it must be unchanged.
std::optional<tools::Resumed> resume_once(const std::string& path, bool drop_errors) {
  const std::string before = contents_of(path);
  const auto fd = tools::open_locked(path);
  require(fd.ok());
  tools::BatchLedger ledger;
  const auto resumed = tools::resume(*fd, path, drop_errors, ledger);
  const std::string after = contents_of(path);
  if (!resumed) {
    require_message(resumed.error());
    require(after == before);
    return std::nullopt;
  }
  ::close(resumed->fd);
  require(after.size() == resumed->bytes && (after.empty() || after.back() == '\n'));
  require(static_cast<std::size_t>(std::count(after.begin(), after.end(), '\n')) == resumed->rows);
  require(drop_errors || before.starts_with(after));
  return *resumed;
}

}  // namespace

void run_resume(Bytes bytes) {
  static const std::string path = scratch_directory() + "/out.jsonl";
  Input input(bytes);
  const bool drop_errors = input.byte() % 2 == 1;
  put(path, input.rest());
  const auto first = resume_once(path, drop_errors);
  if (!first) return;
  const auto second = resume_once(path, drop_errors);
  require(second && second->bytes == first->bytes && second->rows == first->rows);
}

}  // namespace partita::internal::fuzz
