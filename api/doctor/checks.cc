#include <array>

#include "api/doctor/check.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::array kChecks = {
    Check{"not-a-model", CheckCost::kMetadata, check_kind},
    Check{"family", CheckCost::kMetadata, check_family},
    Check{"tensor-types", CheckCost::kMetadata, check_types},
    Check{"metadata", CheckCost::kMetadata, check_metadata},
    Check{"tensors", CheckCost::kFile, check_shapes},
    Check{"window", CheckCost::kMetadata, check_window},
    Check{"rope", CheckCost::kMetadata, check_rope},
    Check{"trained-context", CheckCost::kMetadata, check_trained_context},
    Check{"config-json", CheckCost::kFile, check_config_json},
    Check{"generation-config", CheckCost::kFile, check_generation_config},
    Check{"pre-tokenizer", CheckCost::kMetadata, check_pre_tokenizer},
    Check{"tokenizer", CheckCost::kMetadata, check_tokenizer},
    Check{"vocabulary", CheckCost::kMetadata, check_vocabulary},
    Check{"duplicate-tokens", CheckCost::kFile, check_duplicates},
    Check{"unreachable-tokens", CheckCost::kFile, check_unreachable},
    Check{"end-tokens", CheckCost::kMetadata, check_end_tokens},
    Check{"template", CheckCost::kMetadata, check_template},
    Check{"double-bos", CheckCost::kMetadata, check_bos},
    Check{"template-end", CheckCost::kFile, check_template_end},
    Check{"memory", CheckCost::kFile, check_memory},
    Check{"screen", CheckCost::kData, check_screen},
    Check{"numbers", CheckCost::kData, check_numbers},
    Check{"constant", CheckCost::kData, check_constants},
    Check{"repeated", CheckCost::kData, check_copies},
};

}  // namespace

std::span<const Check> checks() { return kChecks; }

std::string_view Subject::family() const {
  const auto name = file.get_string("general.architecture");
  return name ? *name : std::string_view();
}

std::string Subject::key(std::string_view name) const { return sentence(family(), ".", name); }

void Report::error(const Error& error, std::string remedy) {
  const std::size_t border = error.message.find("; ");
  if (border == std::string::npos) return this->error(error.message, std::move(remedy));
  this->error(error.message.substr(0, border), error.message.substr(border + 2));
}

}  // namespace partita::internal
