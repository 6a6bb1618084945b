// The sentences of errors, put together from text and numbers. Internal to weights/ and tokenizer/.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

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

/// `text` from a file or a user, fit for one line: in quotes, cut after 64 bytes, control and non-ASCII bytes
/// as \xNN.
std::string quoted(std::string_view text);

/// "[2, 3]"
std::string shape_text(std::span<const std::uint64_t> shape);

/// The end of a sentence about a file that contradicts its own format.
inline constexpr std::string_view kDownloadAgain = "; the file is damaged: download it again";

}  // namespace partita
