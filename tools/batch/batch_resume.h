// Resuming a batch from its output file: reads its rows and removes a torn last line.
#pragma once

#include <partita/partita.hpp>
#include <string>

#include "tools/batch/batch_ledger.h"

namespace tools {

/// The state of an output file.
struct Resumed {
  int fd = -1;
  std::size_t bytes = 0, rows = 0, errors = 0;  // errors: error rows
};

/// Records the file's rows in the ledger, and truncates a last line that was torn by a kill or a full disk.
/// drop_errors: if there are error rows, a copy without them atomically replaces the file. Takes ownership of
/// the descriptor; on failure it is closed, and the file is unchanged. Errors: kIo; kBadFile if a line is no
/// row of a batch; kCancelled.
partita::Result<Resumed> resume(int fd, const std::string& path, bool drop_errors, BatchLedger& ledger);

}  // namespace tools
