// The functions of support.h that need no model.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/support.h"

namespace partita::internal::fuzz {

void require(bool holds, const char* file, int line) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: the target's promise is broken\n", file, line);
  std::abort();
}

void require_message(const Error& error, const char* file, int line) {
  require(!error.message.empty(), file, line);
}

std::uint64_t Input::number(std::size_t bytes) {
  std::uint64_t value = 0;
  const std::string_view taken = rest_.substr(0, bytes);
  std::copy(taken.begin(), taken.end(), reinterpret_cast<char*>(&value));
  rest_.remove_prefix(taken.size());
  return value;
}

std::string Input::string(std::size_t max_length) {
  const std::size_t wanted = byte() % (max_length + 1);
  const std::string_view taken = rest_.substr(0, wanted);
  rest_.remove_prefix(taken.size());
  return std::string(taken);
}

std::string_view Input::text() {
  const std::string_view taken = rest_.substr(0, rest_.find('\0'));
  rest_.remove_prefix(std::min(taken.size() + 1, rest_.size()));
  return taken;
}

}  // namespace partita::internal::fuzz
