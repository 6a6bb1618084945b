// The sentences of errors, put together from text and numbers. What comes from a file stands in them by
// quoted() or shortened(); paths, by printable(), which keeps letters of every alphabet.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "partita/result.hpp"
#include "partita/text.hpp"

namespace partita {

inline void append_part(std::string& to, std::string_view text) { to.append(text); }

template <std::integral Number>
void append_part(std::string& to, Number number) {
  to.append(std::to_string(number));
}

/// sentence("key ", quoted(key), " is ", 5)
template <class... Parts>
std::string sentence(const Parts&... parts) {
  std::string text;
  (append_part(text, parts), ...);
  return text;
}

/// `text` from a file or a user, fit for one line: cut after 64 bytes, control and non-ASCII bytes as \xNN.
std::string shortened(std::string_view text);

/// The same in quotes.
std::string quoted(std::string_view text);

/// "[2, 3]"
std::string shape_text(std::span<const std::uint64_t> shape);

/// What looking a tensor up in a file finds: it must be there and have this shape. Errors: kNotFound;
/// kBadFile with both shapes. Tensor: of TensorView's kind.
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

/// The end of a sentence about a file that contradicts its own format.
inline constexpr std::string_view kDownloadAgain = "; the file is damaged: download it again";

}  // namespace partita
