#include "api/template_kind.h"

#include <algorithm>
#include <array>

namespace partita::internal {
namespace {

struct Kind {
  std::string_view name, mark;
};

// The first whose mark the source contains.
constexpr std::array kKinds = {
    Kind{"Llama 3", "<|start_header_id|>"},
    Kind{"Llama 4", "<|header_start|>"},
    Kind{"Harmony", "<|channel|>"},
    Kind{"ChatML", "<|im_start|>"},
    Kind{"Gemma", "<start_of_turn>"},
    Kind{"DeepSeek", "<｜Assistant｜>"},
    Kind{"Command", "<|START_OF_TURN_TOKEN|>"},
    Kind{"Granite", "<|start_of_role|>"},
    Kind{"GLM", "[gMASK]"},
    Kind{"Mistral", "[INST]"},
    Kind{"Phi or Zephyr", "<|assistant|>"},
    Kind{"Vicuna", "ASSISTANT:"},
    Kind{"Alpaca", "### Response"},
};

}  // namespace

std::string_view template_kind(std::string_view source) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) {
    return source.find(kind.mark) != std::string_view::npos;
  });
  return found == kKinds.end() ? "other" : found->name;
}

}  // namespace partita::internal
