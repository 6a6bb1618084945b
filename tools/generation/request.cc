#include "tools/generation/request.h"

#include <utility>

namespace tools {

partita::Result<partita::Request> RequestFlags::request(const Common& common) const {
  partita::Request request;
  auto resolved = sampling.resolved(common.seed);
  if (!resolved) return resolved.error();
  request.sampling = std::move(*resolved);
  request.max_tokens = max_tokens;
  request.stop = sampling.stop;
  request.logprobs = logprobs;
  request.confidence = confidence;
  request.abstain = sampling.abstain.rule();
  request.speculation = speculation.kind;
  request.parse_specials = !common.no_special;
  request.guidance_scale = sampling.guidance_scale;
  request.negative_prompt = sampling.negative_prompt;
  auto variables = chat_template.variables();
  if (!variables) return variables.error();
  request.chat.variables = std::move(*variables);
  return request;
}

void set_chat(partita::Request& request, const std::string& system, std::string question) {
  if (!system.empty()) request.messages.push_back({"system", system});
  request.messages.push_back({"user", std::move(question)});
}

}  // namespace tools
