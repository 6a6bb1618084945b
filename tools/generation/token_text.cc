#include "tools/generation/token_text.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace tools {
namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
  char text[256];
  std::va_list values;
  va_start(values, pattern);
  std::vsnprintf(text, sizeof text, pattern, values);
  va_end(values);
  return text;
}

double wide(float value) { return static_cast<double>(value); }

std::string token_line(const partita::Model& model, const partita::Token& token, std::size_t number,
                       const TokenColumns& columns) {
  std::string line = format("%8zu %8d", number, static_cast<int>(token.id));
  if (columns.logprobs) line += format(" %9.4f", wide(token.logprob));
  if (columns.confidence && token.confidence) {
    const partita::Confidence& c = *token.confidence;
    line += format(" %9.4f %7.4f %8.4f  %-6s", wide(c.probability), wide(c.margin), wide(c.entropy),
                   token.unsure ? "unsure" : "");
  }
  line += "  " + quoted_token(model, token.id);
  if (!token.top.empty()) line += "  of";
  for (const auto& [id, logprob] : token.top)
    line += " " + quoted_token(model, id) + format(" %.4f", wide(logprob));
  return line + "\n";
}

/// The limits of the rule that the token failed.
std::string why_unsure(const partita::Confidence& c, const partita::AbstainRule& rule) {
  std::string why;
  const auto add = [&](bool so, const std::string& text) {
    if (so) why += (why.empty() ? "" : ", ") + text;
  };
  add(c.probability < rule.min_probability, format("the likeliest has probability %.4g, below %.4g",
                                                   wide(c.probability), wide(rule.min_probability)));
  add(c.margin < rule.min_margin,
      format("it leads the second by %.4g, less than %.4g", wide(c.margin), wide(rule.min_margin)));
  add(c.entropy > rule.max_entropy,
      format("the entropy is %.4g nats, above %.4g", wide(c.entropy), wide(rule.max_entropy)));
  return why;
}

}  // namespace

std::string quoted_token(const partita::Model& model, partita::TokenId id) {
  const auto text = model.detokenize({&id, 1});
  return json_text(Json(text ? *text : std::string(model.piece(id))));  // its spelling if it has no bytes
}

std::string token_table(const partita::Model& model, std::span<const partita::Token> tokens,
                        const TokenColumns& columns) {
  std::string table = "position       id";
  if (columns.logprobs) table += "   logprob";
  if (columns.confidence) table += " likeliest    lead  entropy        ";
  table += "  token\n";
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!columns.unsure_only || tokens[i].unsure) table += token_line(model, tokens[i], i + 1, columns);
  }
  return table;
}

std::string score_table(const partita::Model& model, const partita::Score& score) {
  std::string table = "position       id   logprob    rank  token\n";
  for (std::size_t i = 0; i < score.ids.size(); ++i) {
    table += format("%8zu %8d", i + 1, static_cast<int>(score.ids[i]));
    table += i == 0 ? format(" %9s %7s", "-", "-")
                    : format(" %9.4f %7d", wide(score.logprobs[i]), static_cast<int>(score.ranks[i]));
    table += "  " + quoted_token(model, score.ids[i]) + "\n";
  }
  return table;
}

bool ended_with_context(partita::Finish finish, std::size_t tokens, int max_tokens) {
  return finish == partita::Finish::kLength &&
         (max_tokens < 0 || tokens < static_cast<std::size_t>(max_tokens));
}

std::string ending_text(const Ending& ending, const std::string& remedy) {
  if (ending.finish == partita::Finish::kAbstain && ending.last != nullptr && ending.last->confidence) {
    return "the answer ends here because the model is too unsure of the next token: " +
           why_unsure(*ending.last->confidence, ending.abstain);
  }
  if (ending.finish == partita::Finish::kLength && ending.context_full) {
    return "the answer ends here because the model's context is full: prompt and answer have " +
           std::to_string(ending.tokens) + " tokens; " + remedy;
  }
  return {};
}

}  // namespace tools
