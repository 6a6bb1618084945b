// catch_all() turns exceptions into Errors, so that none crosses the public interface or leaves a thread's
// work.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "partita/result.hpp"

namespace partita::internal {

/// The error for exhausted memory. Its message fits the small-string buffer, so that neither making nor
/// copying it allocates.
inline Error out_of_memory() noexcept { return {ErrorCode::kOutOfMemory, "no memory left"}; }

/// An error of this code with the message that `make` returns; out_of_memory() if building the message fails.
template <class Make>
Error error_of(ErrorCode code, Make&& make) noexcept {
  try {
    return {code, std::forward<Make>(make)()};
  } catch (...) {
    return out_of_memory();
  }
}

/// Runs f, which returns a Result; turns every exception it throws into an Error.
template <class F>
auto catch_all(F&& f) noexcept -> decltype(std::forward<F>(f)()) {
  try {
    return std::forward<F>(f)();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& e) {
    return error_of(ErrorCode::kInvalidArgument, [&] { return std::string("the call failed: ") + e.what(); });
  } catch (...) {
    return error_of(ErrorCode::kInvalidArgument,
                    [] { return std::string("a callback threw something that is not an exception"); });
  }
}

}  // namespace partita::internal
