// Errors are values: every fallible call of Partita returns Result<T>.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace partita {

/// The kind of an error, for programs to branch on; people read Error::message.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,  // an option or a call that is wrong in itself
  kNotFound,         // a file, a tensor, a metadata key that is not there
  kIo,               // the operating system refused
  kBadFile,          // a file that contradicts its own format
  kUnsupported,      // well formed, but not supported by this version
  kOutOfMemory,      // a stated budget, or the machine, is too small
  kBadNumbers,       // NaN, or no finite value where a probability is needed
  kCancelled,        // the caller asked to stop
};

/// message: one sentence that names the thing, the value and the limit.
struct Error {
  ErrorCode code = ErrorCode::kInvalidArgument;
  std::string message;
};

/// A T or an Error. `Result<void>` carries success or an Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// Precondition: ok().
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// Precondition: !ok().
  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace partita
