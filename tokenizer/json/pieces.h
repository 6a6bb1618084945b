// A text that pre-tokenizers split into pieces.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json/characters.h"
#include "tokenizer/json/json_expression.h"
#include "tokenizer/json/text_limit.h"
#include "weights/try.h"

namespace partita::internal {

/// What a separator becomes when a text is split at it.
enum class SplitBehavior : std::uint8_t {
  kRemoved,
  kIsolated,            // a piece of its own
  kMergedWithPrevious,  // the end of the piece before it
  kMergedWithNext,
  kContiguous,  // adjacent separators are one piece
};

struct Piece {
  std::string_view text;  // valid UTF-8, not empty
  bool is_first = false;  // it begins where the whole text begins
};

/// Pieces and the memory of their texts.
class Pieces {
 public:
  /// limit: bytes of all texts that change() writes, together.
  Pieces(std::string text, bool is_first, std::size_t limit);

  const std::vector<Piece>& all() const { return pieces_; }

  /// Splits every piece: find(text, stretches) -> Result<void> appends its stretches.
  template <class Find>
  Result<void> split(SplitBehavior behavior, Find&& find) {
    std::vector<Piece> before;
    before.swap(pieces_);
    std::vector<Stretch> stretches;
    for (const Piece& piece : before) {
      stretches.clear();
      if (auto found = find(piece.text, stretches); !found) return found;
      apply(behavior, stretches);
      for (const Stretch& stretch : stretches) {
        if (stretch.end > stretch.begin) {
          pieces_.push_back({piece.text.substr(stretch.begin, stretch.end - stretch.begin),
                             piece.is_first && stretch.begin == 0});
        }
      }
    }
    return {};
  }

  /// Splits every piece at the characters for which is_separator(code).
  template <class IsSeparator>
  Result<void> split_at(SplitBehavior behavior, IsSeparator&& is_separator) {
    return split(behavior, [&](std::string_view text, std::vector<Stretch>& out) -> Result<void> {
      find_characters(text, is_separator, out);
      return {};
    });
  }

  /// Replaces the text of every piece: change(piece, out) appends the new one. Error: kUnsupported beyond the
  /// limit.
  template <class Change>
  Result<void> change(Change&& change) {
    std::string& buffer = buffers_.emplace_back();
    std::vector<std::size_t> ends;
    ends.reserve(pieces_.size());
    for (const Piece& piece : pieces_) {
      change(piece, buffer);
      TRY(check_grown(written_ + buffer.size(), limit_));
      ends.push_back(buffer.size());
    }
    written_ += buffer.size();
    take(buffer, ends);
    return {};
  }

 private:
  static void apply(SplitBehavior behavior, std::vector<Stretch>& stretches);
  void take(std::string_view buffer, const std::vector<std::size_t>& ends);

  template <class IsSeparator>
  static void find_characters(std::string_view text, IsSeparator& is_separator, std::vector<Stretch>& out) {
    std::size_t covered = 0;
    for_each_character(text, [&](std::int32_t code, std::string_view bytes) {
      const auto begin = static_cast<std::size_t>(bytes.data() - text.data());
      if (!is_separator(code)) return;
      if (begin > covered) out.push_back({covered, begin, false});
      covered = begin + bytes.size();
      out.push_back({begin, covered, true});
    });
    if (covered < text.size()) out.push_back({covered, text.size(), false});
  }

  std::size_t limit_, written_ = 0;  // bytes of texts
  std::list<std::string> buffers_;   // a list: strings must not move
  std::vector<Piece> pieces_;
};

}  // namespace partita::internal
