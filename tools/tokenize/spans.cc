#include "tools/tokenize/spans.h"

#include <utility>

namespace tools {
namespace {

/// The position of `token` in `text` at or behind `at`: only white space and bytes that the vocabulary lacks
/// stand before it.
std::optional<std::size_t> find_token(const partita::Model& model, std::string_view text, std::size_t at,
                                      std::string_view token) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  for (; at < text.size(); ++at) {
    if (text.compare(at, token.size(), token) == 0) return at;
    if (kSpace.find(text[at]) == std::string_view::npos && model.left_out(text.substr(at, 1)) == 0) break;
  }
  return std::nullopt;
}

/// The same for a token whose leading space the tokenizer may have added.
std::optional<Span> span_of(const partita::Model& model, std::string_view text, std::size_t at,
                            std::string_view token) {
  if (text.compare(at, token.size(), token) == 0) return Span{at, at + token.size()};
  const std::size_t spaces = !token.empty() && token[0] == ' ' ? 1 : 0;
  for (const std::string_view form : {token, token.substr(spaces)}) {
    if (const auto found = find_token(model, text, at, form); found && !form.empty())
      return Span{*found, *found + form.size()};
  }
  return token.size() == spaces ? std::optional(Span{at, at}) : std::nullopt;
}

}  // namespace

partita::Result<std::string_view> bytes_of(const partita::Model& model, partita::TokenId id) {
  auto bytes = model.text(id);
  return bytes && bytes->empty() ? model.piece(id) : bytes;
}

partita::Result<Tokens> tokens_of(const partita::Model& model, std::string text, bool parse_specials,
                                  bool add_bos) {
  auto ids = model.tokenize(text, parse_specials, add_bos);
  if (!ids) return ids.error();
  Tokens out{std::move(text), std::move(*ids), {}};
  out.spans.reserve(out.ids.size());
  std::size_t at = 0;
  bool lost = false;
  for (const partita::TokenId id : out.ids) {
    auto bytes = model.text(id);
    if (!bytes) return bytes.error();
    const bool control = bytes->empty();
    auto span = lost ? std::nullopt : span_of(model, out.text, at, control ? model.piece(id) : *bytes);
    if (!span && control && !lost) span = Span{at, at};
    lost = !span;
    if (span) at = span->end;
    out.spans.push_back(span);
  }
  return out;
}

}  // namespace tools
