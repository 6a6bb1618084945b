// No exception crosses the public interface, nor the end of a thread's work: what is thrown becomes an Error.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "partita/result.hpp"

namespace partita {

/// The error of memory exhaustion, so short that its sentence takes no memory: neither does a copy of it.
inline Error out_of_memory() noexcept { return {ErrorCode::kOutOfMemory, "no memory left"}; }

/// An error of this code whose sentence `make` writes; out_of_memory() where there is no memory for it.
template <class Make>
Error error_of(ErrorCode code, Make&& make) noexcept {
  try {
    return {code, std::forward<Make>(make)()};
  } catch (...) {
    return out_of_memory();
  }
}

/// Runs f, which returns a Result, and turns what it throws into an Error.
template <class F>
auto guarded(F&& f) noexcept -> decltype(std::forward<F>(f)()) {
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

}  // namespace partita
