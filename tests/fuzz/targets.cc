#include "tests/fuzz/targets.h"

#include <algorithm>
#include <array>

namespace partita::internal::fuzz {
namespace {

constexpr std::array kTargets = {
    Target{"adapter", run_adapter},
    Target{"chat", run_chat},
    Target{"config", run_config},
    Target{"context", run_context},
    Target{"convert", run_convert},
    Target{"doctor", run_doctor},
    Target{"gguf", run_gguf},
    Target{"importance", run_importance},
    Target{"lines", run_lines},
    Target{"model", run_model},
    Target{"options", run_options},
    Target{"ranks", run_ranks},
    Target{"resume", run_resume},
    Target{"rows", run_rows},
    Target{"safetensors", run_safetensors},
    Target{"screen", run_screen},
    Target{"sentencepiece", run_sentencepiece},
    Target{"session", run_session},
    Target{"split", run_split},
    Target{"template", run_template},
    Target{"tokenizer", run_tokenizer},
    Target{"tokenizer_json", run_tokenizer_json},
};

}  // namespace

std::span<const Target> targets() { return kTargets; }

const Target* find_target(std::string_view name) {
  const auto found = std::find_if(kTargets.begin(), kTargets.end(),
                                  [&](const Target& target) { return target.name == name; });
  return found == kTargets.end() ? nullptr : &*found;
}

}  // namespace partita::internal::fuzz
