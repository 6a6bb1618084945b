#include "tools/batch/byte_source.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tools/cli/interrupt.h"

namespace tools {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

Result<ByteSource::Got> FileBytes::read(char* to, std::size_t size, bool wait) {
  while (true) {
    if (interrupted().is_set()) return Error{ErrorCode::kCancelled, "interrupted"};
    pollfd ready = {fd_, POLLIN, 0};
    if (!wait && ::poll(&ready, 1, 0) == 0) return Got{};
    const ssize_t n = ::read(fd_, to, size);
    if (n >= 0) {
      position_ += static_cast<std::size_t>(n);
      return Got{static_cast<std::size_t>(n), n == 0};
    }
    if (errno != EINTR) return Error{ErrorCode::kIo, std::strerror(errno)};
  }
}

}  // namespace tools
