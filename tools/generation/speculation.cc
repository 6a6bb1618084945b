#include "tools/generation/speculation.h"

#include <map>

namespace tools {

using partita::Result;
using partita::Speculation;

namespace {

/// Replaces a name by the number of its enumerator, which CLI11 reads.
std::string number_of_kind(std::string& kind) {
  const std::map<std::string, Speculation> kinds = {
      {"auto", Speculation::kAuto}, {"off", Speculation::kNever}, {"always", Speculation::kAlways}};
  const auto named = kinds.find(kind);
  if (named == kinds.end()) return "it is auto, off or always, not \"" + kind + "\"";
  kind = std::to_string(static_cast<int>(named->second));
  return {};
}

}  // namespace

void add_speculation(Command command, SpeculationFlags& flags) {
  command.heading(Heading::kSpeculation);
  command.add_option("--speculation", flags.kind, "speculative decoding; auto: if faster; same answers")
      .transform(number_of_kind)
      .value_name("off|auto|always")
      .show_default("auto");
  command.add_option("--draft", flags.draft, "draft model, of the same vocabulary; without it: prompt lookup")
      .value_name("PATH");
}

Result<std::optional<partita::Model>> SpeculationFlags::open_draft(const Common& common) const {
  if (draft.empty()) return std::optional<partita::Model>();
  auto path = partita::find_model(draft);
  if (!path) return path.error();
  Common own = common;
  own.head = "full";  // probabilities of draft tokens need every logit
  auto opened = open_model_at(*path, own, false, common.exact);
  if (!opened) return opened.error();
  return std::optional<partita::Model>(std::move(opened->model));
}

Result<void> SpeculationFlags::draft_for(partita::Session& session, const Common& common) const {
  auto opened = open_draft(common);
  if (!opened) return opened.error();
  return *opened ? session.draft_with(**opened) : Result<void>();
}

}  // namespace tools
