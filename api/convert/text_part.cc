#include "api/convert/text_part.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::string_view kModel = "model.", kBefore = "language_model.", kBehind = "model.language_model.";
/// What the names of parts that see or hear begin with, after "model.".
constexpr std::string_view kOtherParts[] = {
    "vision_",       "visual.",       "image_",       "video_tower.",  "audio_",
    "speech_",       "embed_vision.", "embed_audio.", "mm_projector.", "multi_modal_projector.",
    "patch_merger.", "projector."};
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

bool take_text_config(nlohmann::json& config) {
  const auto found = config.find("text_config");
  if (found == config.end() || !found->is_object()) return false;
  const nlohmann::json text = std::move(*found);
  config.erase(found);
  if (generates_text(config)) config.erase("architectures");
  const nlohmann::json tied = config.value(kTied, nlohmann::json());
  config.update(text);
  if (!tied.is_null()) config[kTied] = tied;  // the head belongs to the larger model
  return true;
}

TextPart::TextPart(const SafeTensors& from, bool larger) : larger_(larger) {
  if (!larger) return;
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

std::string_view TextPart::other_part(std::string_view stored) const {
  if (!larger_) return {};
  if (stored.starts_with(kModel)) stored.remove_prefix(kModel.size());
  const bool is_other = std::any_of(std::begin(kOtherParts), std::end(kOtherParts),
                                    [&](std::string_view begin) { return stored.starts_with(begin); });
  return is_other ? stored.substr(0, stored.find('.')) : std::string_view();
}

}  // namespace partita::internal
