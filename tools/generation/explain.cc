#include "tools/generation/explain.h"

#include <algorithm>

#include "tools/generation/token_text.h"

namespace tools {
namespace {

/// The bytes of a token, or its spelling if it has none.
std::string text_of(const partita::Model& model, partita::TokenId id) {
  const auto text = model.detokenize({&id, 1});
  return text ? *text : std::string(model.piece(id));
}

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

}  // namespace

std::string explanation_text(const partita::Model& model, const partita::Token& token, std::size_t number) {
  const partita::Explanation& e = *token.explanation;
  std::string out = std::to_string(number) + ". " + quoted_token(model, token.id) +
                    ", chosen with probability " + format("%.4f", token.probability);
  if (token.head_bytes > 0) {  // explanations need full rows of logits, from the full head
    out +=
        format(" from every logit (%.1f MB read by the head)", static_cast<double>(token.head_bytes) * 1e-6);
  }
  out += '\n';
  std::size_t width = 0;
  for (const partita::StageView& view : e.views) width = std::max(width, view.stage.size());
  for (const partita::StageView& view : e.views) {
    out += "   " + view.stage + std::string(width - view.stage.size(), ' ');
    out += format("  %7.0f left", static_cast<double>(view.candidates));
    out += format(", entropy %6.3f:", view.entropy);
    for (const auto& [id, probability] : view.top) {
      out += "  " + quoted_token(model, id) + format(" %.4f", probability);
    }
    out += '\n';
  }
  if (e.runner_up >= 0) {
    out += "   runner-up " + quoted_token(model, e.runner_up) +
           (e.removed_by.empty() ? " stayed to the draw" : " removed by " + e.removed_by) + '\n';
  }
  return out;
}

Json explanation_json(const partita::Model& model, const partita::Token& token) {
  const partita::Explanation& e = *token.explanation;
  Json stages = Json::array();
  for (const partita::StageView& view : e.views) {
    Json top = Json::array();
    for (const auto& [id, probability] : view.top) {
      top.push_back({id, text_of(model, id), number(probability)});
    }
    stages.push_back({{"stage", view.stage},
                      {"candidates", view.candidates},
                      {"entropy", number(view.entropy)},
                      {"top", std::move(top)}});
  }
  return {{"id", token.id},
          {"text", text_of(model, token.id)},
          {"probability", number(token.probability)},
          {"head_bytes", token.head_bytes},
          {"runner_up", e.runner_up >= 0 ? Json(e.runner_up) : Json(nullptr)},
          {"removed_by", e.removed_by.empty() ? Json(nullptr) : Json(e.removed_by)},
          {"stages", std::move(stages)}};
}

Json confidence_json(const partita::Token& token) {
  const partita::Confidence& c = *token.confidence;
  return {{"probability", number(c.probability)},
          {"margin", number(c.margin)},
          {"entropy", number(c.entropy)},
          {"unsure", token.unsure}};
}

}  // namespace tools
