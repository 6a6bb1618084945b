// The sentences of errors, put together from text and numbers. Internal to weights/ and tokenizer/.
#pragma once

#include <concepts>
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

}  // namespace partita
