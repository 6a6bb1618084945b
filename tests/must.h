// Assertions for test helpers. They do not use Catch2, because fuzz targets share them: a test fails with the
// message, a fuzz target aborts.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "partita/result.hpp"

namespace partita::internal::testing {

inline void must(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

/// Returns the value, or throws the error's message.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

}  // namespace partita::internal::testing
