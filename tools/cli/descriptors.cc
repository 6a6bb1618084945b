#include "tools/cli/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

namespace tools {

void fill_standard_descriptors() {
  // The opposite modes: reading from a descriptor open for writing is an error, and so is the reverse.
  constexpr int kModes[] = {O_WRONLY, O_RDONLY, O_WRONLY};  // of stdin, stdout, stderr
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // open() returns the lowest free number, which is this one: the numbers before it are in use.
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", kModes[fd]) < 0) return;
  }
}

}  // namespace tools
