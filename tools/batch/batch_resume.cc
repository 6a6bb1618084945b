#include "tools/batch/batch_resume.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <utility>

#include "tools/batch/lines.h"
#include "tools/batch/output_row.h"
#include "tools/locked_file.h"

namespace tools {
namespace {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

bool is_row(const Json& json) { return json.is_object() && json.contains("id") && json.contains("error"); }

/// True if an unfinished last line can be the beginning of a row, or zeros, which a file system may leave
/// after a power failure. Any other text is not of a batch and is never truncated.
bool may_be_torn(std::string line) {
  constexpr std::string_view kStart = "{\"id\":";
  line.erase(line.find_last_not_of('\0') + 1);
  const std::size_t n = std::min(line.size(), kStart.size());
  if (line.compare(0, n, kStart, 0, n) != 0) return false;
  const Json row = parse_json(line, kOwnLimits);
  return row.is_discarded() || is_row(row);
}

struct Rows {
  std::size_t bytes = 0, rows = 0;
};

/// Reads a file's whole rows from its beginning: visit(row, line).
Result<Rows> for_each_row(int fd, const std::string& path,
                          const std::function<Result<void>(const Json&, const std::string&)>& visit) {
  if (lseek(fd, 0, SEEK_SET) < 0) return file_error("cannot read", path);
  LineReader lines(fd, kOwnLimits.bytes);
  std::string line;
  for (Rows found;; ++found.rows, found.bytes = lines.consumed()) {
    const LineEnd end = lines.next(line);
    if (end == LineEnd::kError)
      return Error{ErrorCode::kIo, "cannot read \"" + path + "\": " + lines.error().message};
    if (end == LineEnd::kInterrupted) return Error{ErrorCode::kCancelled, "interrupted"};
    if (end == LineEnd::kEof) return found;
    if (end == LineEnd::kLine && !lines.terminated() && may_be_torn(line)) return found;
    const Json row = end == LineEnd::kLine ? parse_json(line, kOwnLimits) : Json();
    if (!is_row(row)) {
      return Error{ErrorCode::kBadFile,
                   "line " + std::to_string(found.rows + 1) + " of \"" + path +
                       "\" is not a row of a batch; give a new file, or the output of the batch to resume"};
    }
    if (auto visited = visit(row, line); !visited) return visited.error();
  }
}

/// Copies the rows that are no error rows to the file `to`, and syncs it.
Result<Rows> copy_answers(int from, const std::string& path, int to, const std::string& copy) {
  constexpr std::size_t kBuffer = std::size_t{1} << 20;
  std::string buffer;
  Rows kept;
  auto read = for_each_row(from, path, [&](const Json& row, const std::string& line) -> Result<void> {
    if (is_error_row(row)) return {};
    buffer += line + "\n";
    kept.bytes += line.size() + 1;
    ++kept.rows;
    if (buffer.size() < kBuffer) return {};
    return write_all(to, std::exchange(buffer, {}), copy);
  });
  if (!read) return read.error();
  if (auto written = write_all(to, buffer, copy); !written) return written.error();
  if (fsync(to) != 0) return file_error("cannot write", copy);
  return kept;
}

/// Replaces the file by a copy without error rows.
Result<Resumed> rewrite(int fd, const std::string& named) {
  std::error_code problem;
  const std::string path =
      std::filesystem::canonical(named, problem).string();  // the file itself, not a link to it
  if (problem) return Error{ErrorCode::kIo, "cannot replace \"" + named + "\": " + problem.message()};
  const std::string copy = path + ".partita-retry";
  struct stat status = {};
  Descriptor to(::open(copy.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (to.get() < 0) return file_error("cannot open", copy);
  // Locked before it gets the name under which other processes open it.
  const bool ready = flock(to.get(), LOCK_EX | LOCK_NB) == 0 && fstat(fd, &status) == 0 &&
                     fchmod(to.get(), status.st_mode & 07777) == 0;
  auto kept = ready ? copy_answers(fd, path, to.get(), copy) : file_error("cannot write", copy);
  if (kept && std::rename(copy.c_str(), path.c_str()) != 0) kept = file_error("cannot replace", path);
  if (!kept) {
    ::unlink(copy.c_str());
    return kept.error();
  }
  if (auto synced = sync_directory_of(path); !synced) return synced.error();
  return Resumed{to.take(), kept->bytes, kept->rows, 0};
}

}  // namespace

Result<Resumed> resume(int fd, const std::string& path, bool drop_errors, BatchLedger& ledger) {
  Descriptor file(fd);
  std::size_t errors = 0;
  auto found = for_each_row(fd, path, [&](const Json& row, const std::string&) -> Result<void> {
    if (is_error_row(row)) ++errors;
    if (!drop_errors || !is_error_row(row)) ledger.written(row);
    return {};
  });
  if (!found) return found.error();
  if (drop_errors && errors > 0) return rewrite(fd, path);
  const bool whole = ftruncate(fd, static_cast<off_t>(found->bytes)) == 0 && fdatasync(fd) == 0;
  if (!whole) return file_error("cannot write", path);
  return Resumed{file.take(), found->bytes, found->rows, errors};
}

}  // namespace tools
