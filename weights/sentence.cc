#include "weights/sentence.h"

#include <sstream>

namespace partita::internal {
namespace {

constexpr std::size_t kQuotedBytes = 64;
constexpr std::string_view kHex = "0123456789abcdef";

}  // namespace

void append_escaped(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
}

Error bad_option(std::string_view name, std::string_view value, std::string_view limits) {
  return invalid(name, " is ", value, ", but it must be ", limits);
}

std::string shortened(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kQuotedBytes)) {
    if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      append_escaped({&c, 1}, out);
    }
  }
  if (text.size() > kQuotedBytes) out += "...";
  return out;
}

std::string quoted(std::string_view text) { return "'" + shortened(text) + "'"; }

std::string rounded_text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string text = "[";
  for (const std::uint64_t dim : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dim);
  }
  return text + "]";
}

}  // namespace partita::internal
