// Going on with an output file: it is locked, read, and freed of what is torn.
#pragma once

#include <partita/partita.hpp>
#include <string>

#include "tools/batch/batch_ledger.h"

namespace tools {

/// What an output file holds.
struct Resumed {
  int fd = -1;
  std::size_t bytes = 0, rows = 0, errors = 0;  // errors: rows of them
};

/// Tells the ledger which rows the file holds, and cuts off a last line that a kill or a full disk has left
/// torn. drop_errors: if there are rows of errors, a copy without them takes the file's place, at once and
/// whole. The descriptor is Resumed's from here on; on failure it is closed, and the file is as it was.
/// Errors: kIo; kBadFile where a line is not a row of a batch; kCancelled.
partita::Result<Resumed> resume(int fd, const std::string& path, bool drop_errors, BatchLedger& ledger);

}  // namespace tools
