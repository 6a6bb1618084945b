#include "sampling/stages/stages.h"

#include <array>

namespace partita {
namespace {

constexpr std::array kMakers = {
    StageMaker{{"repeat_penalty", "makes tokens of the prompt and the text so far less likely"},
               make_repeat_penalty},
    StageMaker{{"temperature", "divides the logits: below 1 surer, above 1 more varied, 0 greedy"},
               make_temperature},
    StageMaker{{"top_k", "keeps the k likeliest tokens"}, make_top_k},
    StageMaker{{"top_p", "keeps the fewest likeliest tokens whose probabilities sum to p"}, make_top_p},
    StageMaker{{"min_p", "keeps tokens at least p times as likely as the likeliest"}, make_min_p},
};

constexpr auto kInfos = [] {
  std::array<StageInfo, kMakers.size()> infos{};
  for (std::size_t i = 0; i < infos.size(); ++i) infos[i] = kMakers[i].info;
  return infos;
}();

}  // namespace

std::span<const StageMaker> stage_makers() { return kMakers; }

std::span<const StageInfo> known_stages() { return kInfos; }

Error bad_option(std::string_view name, std::string_view value, std::string_view limits) {
  std::string message(name);
  message.append(" is ").append(value).append(", but it must be ").append(limits);
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

}  // namespace partita
