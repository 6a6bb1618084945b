#include "partita/token.hpp"

namespace partita {

std::string_view name(Finish finish) noexcept {
  switch (finish) {
    case Finish::kEos:
      return "eos";
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kAbstain:
      return "abstain";
    case Finish::kNone:
      break;
  }
  return "none";
}

}  // namespace partita
