// Exit codes of the program.
#pragma once

namespace tools {

/// README.md lists them.
enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kInterrupted = 130 };

}  // namespace tools
