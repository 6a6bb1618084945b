#include "tools/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

namespace tools {

void fill_standard_descriptors() {
  // The wrong way round: reading from what is open for writing is an error, and so is the opposite.
  constexpr int kModes[] = {O_WRONLY, O_RDONLY, O_WRONLY};  // of stdin, stdout, stderr
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // open() takes the lowest number that is free, which is this one: those before it are not.
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", kModes[fd]) < 0) return;
  }
}

}  // namespace tools
