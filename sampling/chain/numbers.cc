#include "sampling/chain/numbers.h"

#include "weights/sentence.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace partita::internal {
namespace {

template <class Number>
std::string shortest(Number value) {
  if (value != value) return "nan";  // of either sign
  std::array<char, 32> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

}  // namespace

bool is_logit(float value) { return value < std::numeric_limits<float>::infinity(); }

Error bad_logits(std::span<const float> logits) {
  const auto bad = std::find_if_not(logits.begin(), logits.end(), is_logit);
  if (bad == logits.end()) {
    return {ErrorCode::kBadNumbers, sentence("none of the ", logits.size(), " logits is finite")};
  }
  return {ErrorCode::kBadNumbers, sentence("the logit of id ", bad - logits.begin(), " is ", to_text(*bad),
                                           ", but logits are finite, or -inf where masked")};
}

float round_up(double x) {
  const auto rounded = static_cast<float>(std::max(x, double{std::numeric_limits<float>::lowest()}));
  if (static_cast<double>(rounded) >= x) return rounded;
  return std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

std::string to_text(float value) { return shortest(value); }
std::string to_text(double value) { return shortest(value); }

}  // namespace partita::internal
