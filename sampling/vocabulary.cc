#include "sampling/vocabulary.h"

#include <algorithm>

namespace partita::internal {

std::span<const std::int32_t> Vocabulary::by_text() const {
  std::call_once(sorted_, [&] {
    for (std::size_t i = 0; i < size(); ++i) {
      const auto id = static_cast<std::int32_t>(i);
      if (!text(id).empty()) by_text_.push_back(id);
    }
    std::stable_sort(by_text_.begin(), by_text_.end(),
                     [&](std::int32_t a, std::int32_t b) { return text(a) < text(b); });
  });
  return by_text_;
}

}  // namespace partita::internal
