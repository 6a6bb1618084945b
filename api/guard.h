// The last line of defence of the public calls: no exception crosses the interface.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "partita/result.hpp"

namespace partita {

/// Runs f, which returns a Result, and turns what it throws into an Error.
template <class F>
auto guarded(F&& f) noexcept -> decltype(std::forward<F>(f)()) {
  try {
    return std::forward<F>(f)();
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "the machine has no memory left for this call"};
  } catch (const std::exception& e) {
    return Error{ErrorCode::kInvalidArgument, std::string("the call failed: ") + e.what()};
  } catch (...) {
    return Error{ErrorCode::kInvalidArgument, "a callback threw something that is not an exception"};
  }
}

}  // namespace partita
