#include "api/convert/text_part.h"

#include <algorithm>
#include <utility>

#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::string_view kModel = "model.", kBefore = "language_model.", kBehind = "model.language_model.";
constexpr const char* kTied = "tie_word_embeddings";

/// Whether config.json names no class, or the one of a larger model that generates text.
bool generates_text(const nlohmann::json& config) {
  const auto classes = config.find("architectures");
  if (classes == config.end() || !classes->is_array()) return true;
  return std::all_of(classes->begin(), classes->end(), [](const nlohmann::json& name) {
    return name.is_string() && name.get_ref<const std::string&>().ends_with("ForConditionalGeneration");
  });
}

}  // namespace

void take_text_config(nlohmann::json& config) {
  const auto found = config.find("text_config");
  if (found == config.end() || !found->is_object()) return;
  const nlohmann::json text = std::move(*found);
  config.erase(found);
  if (generates_text(config)) config.erase("architectures");
  const nlohmann::json tied = config.value(kTied, nlohmann::json());
  config.update(text);
  if (!tied.is_null()) config[kTied] = tied;  // the head belongs to the larger model
}

TextPart::TextPart(const SafeTensors& from) {
  for (const SafeTensor& tensor : from.tensors()) {
    before_ = before_ || tensor.name.starts_with(kBefore);
    behind_ = behind_ || tensor.name.starts_with(kBehind);
  }
}

std::string TextPart::stored(std::string_view name) const {
  if (before_) return sentence(kBefore, name);
  if (behind_ && name.starts_with(kModel)) return sentence(kBehind, name.substr(kModel.size()));
  return std::string(name);
}

bool TextPart::has(std::string_view stored) const {
  if (before_) return stored.starts_with(kBefore);
  return !behind_ || stored.starts_with(kBehind) || stored.starts_with("lm_head.");
}

}  // namespace partita::internal
