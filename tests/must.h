// For what helpers of tests need to go on. They know nothing of Catch2, because fuzz targets share them: a
// test fails with the message, a fuzz target aborts.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "partita/result.hpp"

namespace partita::testing {

inline void must(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

/// The value, or the error's message is thrown.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

}  // namespace partita::testing
