// Builds error messages from text and numbers. Text from a file must be escaped by quoted() or shortened(), a
// path by printable(), which keeps the letters of every alphabet.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "partita/result.hpp"
#include "partita/text.hpp"

namespace partita::internal {

inline void append_part(std::string& to, std::string_view text) { to.append(text); }

template <std::integral Number>
void append_part(std::string& to, Number number) {
  to.append(std::to_string(number));
}

/// Builds an error message: sentence("key ", quoted(key), " is ", 5).
template <class... Parts>
std::string sentence(const Parts&... parts) {
  std::string text;
  (append_part(text, parts), ...);
  return text;
}

/// An error of kInvalidArgument with the sentence of these parts.
template <class... Parts>
Error invalid(const Parts&... parts) {
  return {ErrorCode::kInvalidArgument, sentence(parts...)};
}

/// The error with the place before its message: "token 5 of the text: ...".
template <class... Parts>
Error at_place(const Error& error, const Parts&... place) {
  return {error.code, sentence(place..., ": ", error.message)};
}

/// "top_p is 1.5, but it must be above 0 and at most 1"
Error bad_option(std::string_view name, std::string_view value, std::string_view limits);

/// Appends each byte as \xNN.
void append_escaped(std::string_view bytes, std::string& out);

/// Escapes `text` from a file or a user for one line: at most 64 bytes, control and non-ASCII bytes as \xNN.
std::string shortened(std::string_view text);

/// shortened(), in single quotes.
std::string quoted(std::string_view text);

/// A number with up to six digits, as messages show it: "1e-06".
std::string rounded_text(double value);

/// "[2, 3]"
std::string shape_text(std::span<const std::uint64_t> shape);

/// Checks the result of a tensor look-up: `found` must not be null and must have this shape. Errors:
/// kNotFound; kBadFile with both shapes. Tensor: a type with a member `shape`, such as TensorView.
template <class Tensor>
Result<void> check_found(const std::string& path, std::string_view name, const Tensor* found,
                         std::span<const std::uint64_t> shape) {
  if (found == nullptr) {
    return Error{ErrorCode::kNotFound, sentence("'", path, "' has no tensor ", quoted(name),
                                                ", expected with shape ", shape_text(shape))};
  }
  if (std::equal(found->shape.begin(), found->shape.end(), shape.begin(), shape.end())) return {};
  return Error{ErrorCode::kBadFile,
               sentence("'", path, "': tensor ", quoted(name), " has shape ", shape_text(found->shape),
                        ", and ", shape_text(shape), " was expected")};
}

/// The end of an error message about a file that violates its format.
inline constexpr std::string_view kDownloadAgain = "; the file is damaged: download it again";

}  // namespace partita::internal
