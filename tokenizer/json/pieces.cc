#include "tokenizer/json/pieces.h"

#include <algorithm>
#include <utility>

namespace partita::internal {
namespace {

/// Joins stretches to the one before where joins(previous, stretch), which sees the original ones.
template <class Joins>
void join(std::vector<Stretch>& stretches, Joins&& joins) {
  std::vector<Stretch> out;
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    if (i > 0 && joins(stretches[i - 1], stretches[i])) {
      out.back().end = stretches[i].end;
    } else {
      out.push_back(stretches[i]);
    }
  }
  stretches.swap(out);
}

}  // namespace

Pieces::Pieces(std::string text, bool is_first, std::size_t limit) : limit_(limit) {
  buffers_.push_back(std::move(text));
  if (!buffers_.back().empty()) pieces_.push_back({buffers_.back(), is_first});
}

void Pieces::apply(SplitBehavior behavior, std::vector<Stretch>& stretches) {
  switch (behavior) {
    case SplitBehavior::kRemoved:
      std::erase_if(stretches, [](const Stretch& stretch) { return stretch.is_match; });
      return;
    case SplitBehavior::kIsolated:
      return;
    case SplitBehavior::kContiguous:
      return join(stretches, [](const Stretch& a, const Stretch& b) { return a.is_match == b.is_match; });
    case SplitBehavior::kMergedWithPrevious:
      return join(stretches, [](const Stretch& a, const Stretch& b) { return b.is_match && !a.is_match; });
    case SplitBehavior::kMergedWithNext:
      return join(stretches, [](const Stretch& a, const Stretch& b) { return a.is_match && !b.is_match; });
  }
}

void Pieces::take(std::string_view buffer, const std::vector<std::size_t>& ends) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    pieces_[i].text = buffer.substr(begin, ends[i] - begin);
    begin = ends[i];
  }
  std::erase_if(pieces_, [](const Piece& piece) { return piece.text.empty(); });
}

}  // namespace partita::internal
