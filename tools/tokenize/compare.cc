#include "tools/tokenize/compare.h"

#include <algorithm>

namespace tools {
namespace {

constexpr std::size_t kMaxShown = 10;        // differences
constexpr std::size_t kMaxTokensShown = 12;  // of one side of a difference

bool is_empty(const std::optional<Span>& span) { return span && span->begin == span->end; }

/// Whether two tokens may end at the same byte. Ids of two vocabularies can be equal by chance.
bool ends_alike(const std::optional<Span>& a, const std::optional<Span>& b) {
  return !a || !b || a->end == b->end;
}

/// Extends a difference until both sides end at the same byte.
void extend(const Tokens& a, const Tokens& b, Difference& one) {
  const auto end_of = [&](const Tokens& tokens, int side) {
    return tokens.spans[one.begin[side] + one.count[side] - 1];
  };
  while (true) {
    const auto end_a = end_of(a, 0), end_b = end_of(b, 1);
    if (ends_alike(end_a, end_b)) return;
    const int behind = end_a->end < end_b->end ? 0 : 1;
    const Tokens& tokens = behind == 0 ? a : b;
    if (one.begin[behind] + one.count[behind] == tokens.ids.size()) return;
    ++one.count[behind];
  }
}

Json pieces_of(const partita::Model& model, const Tokens& tokens, std::size_t begin, std::size_t count) {
  Json pieces = Json::array();
  for (std::size_t i = begin; i < begin + count; ++i) pieces.push_back(model.piece(tokens.ids[i]));
  return pieces;
}

/// "19556 'Hello', 28 ','"
std::string side_text(const partita::Model& model, const Tokens& tokens, std::size_t begin,
                      std::size_t count) {
  std::string text;
  for (std::size_t i = begin; i < begin + std::min(count, kMaxTokensShown); ++i) {
    text += (text.empty() ? "" : ", ") + std::to_string(tokens.ids[i]) + " '" +
            partita::printable(model.piece(tokens.ids[i])) + "'";
  }
  if (count > kMaxTokensShown) text += ", and " + std::to_string(count - kMaxTokensShown) + " more";
  return text.empty() ? "nothing" : text;
}

std::string count_of(const Tokens& tokens) {
  return std::to_string(tokens.ids.size()) + (tokens.ids.size() == 1 ? " token" : " tokens");
}

}  // namespace

std::vector<Difference> differences(const Tokens& a, const Tokens& b) {
  std::vector<Difference> found;
  if (a.ids == b.ids) return found;
  std::size_t i = 0, j = 0;
  while (i < a.ids.size() || j < b.ids.size()) {
    const bool in_a = i < a.ids.size(), in_b = j < b.ids.size();
    if (in_a && in_b && a.ids[i] == b.ids[j] && ends_alike(a.spans[i], b.spans[j])) {
      ++i, ++j;
      continue;
    }
    // A BOS that the other tokenizer does not add stands alone.
    const bool a_alone = !in_b || (in_a && is_empty(a.spans[i]) && !is_empty(b.spans[j]));
    const bool b_alone = !in_a || (in_b && is_empty(b.spans[j]) && !is_empty(a.spans[i]));
    Difference one;
    one.begin[0] = i, one.begin[1] = j;
    one.count[0] = b_alone ? 0 : 1, one.count[1] = a_alone ? 0 : 1;
    const auto& span = in_a ? a.spans[i] : b.spans[j];
    if (span) one.offset = span->begin;
    if (!a_alone && !b_alone) extend(a, b, one);
    i += one.count[0], j += one.count[1];
    found.push_back(one);
  }
  return found;
}

Json comparison_json(const partita::Model& a, const Tokens& of_a, const partita::Model& b,
                     const Tokens& of_b) {
  Json list = Json::array();
  const auto ids = [](const Tokens& tokens, std::size_t begin, std::size_t count) {
    const auto first = tokens.ids.begin() + static_cast<std::ptrdiff_t>(begin);
    return Json(std::vector<partita::TokenId>(first, first + static_cast<std::ptrdiff_t>(count)));
  };
  for (const Difference& one : differences(of_a, of_b)) {
    list.push_back(
        {{"offset", one.offset ? Json(*one.offset) : Json(nullptr)},
         {"ids", Json::array({ids(of_a, one.begin[0], one.count[0]), ids(of_b, one.begin[1], one.count[1])})},
         {"pieces", Json::array({pieces_of(a, of_a, one.begin[0], one.count[0]),
                                 pieces_of(b, of_b, one.begin[1], one.count[1])})}});
  }
  return {{"same", list.empty()},
          {"counts", {of_a.ids.size(), of_b.ids.size()}},
          {"differences", std::move(list)}};
}

std::string comparison_text(const partita::Model& a, const Tokens& of_a, const partita::Model& b,
                            const Tokens& of_b, const std::string& other) {
  const std::vector<Difference> all = differences(of_a, of_b);
  if (all.empty()) return "the same: " + count_of(of_a) + "\n";
  std::string text = "different: " + count_of(of_a) + ", with " + partita::printable(other) + " " +
                     std::to_string(of_b.ids.size()) + "\n";
  for (std::size_t i = 0; i < std::min(all.size(), kMaxShown); ++i) {
    const Difference& one = all[i];
    text += one.offset ? "byte " + std::to_string(*one.offset) : "token " + std::to_string(one.begin[0]);
    text += ": " + side_text(a, of_a, one.begin[0], one.count[0]) + "; there " +
            side_text(b, of_b, one.begin[1], one.count[1]) + "\n";
  }
  if (all.size() > kMaxShown) text += "and " + std::to_string(all.size() - kMaxShown) + " more differences\n";
  return text;
}

}  // namespace tools
