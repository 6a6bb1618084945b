#include "tools/speculation.h"

#include <map>

namespace tools {

using partita::Result;
using partita::Speculation;

namespace {

/// A name to the number of its enumerator, which options read.
std::string number_of_kind(std::string& kind) {
  const std::map<std::string, Speculation> kinds = {
      {"auto", Speculation::kWherePays}, {"off", Speculation::kNever}, {"always", Speculation::kAlways}};
  const auto named = kinds.find(kind);
  if (named == kinds.end()) return "it is auto, off or always, not \"" + kind + "\"";
  kind = std::to_string(static_cast<int>(named->second));
  return {};
}

}  // namespace

void add_speculation(Command command, SpeculationFlags& flags) {
  command
      .add_option(
          "--speculation", flags.kind,
          "guesses at what comes next, several in a step; they cost or save time and change no answer: "
          "auto (where that pays), off, always")
      .transform(number_of_kind)
      .show_default("auto");
  command.add_option(
      "--draft", flags.draft,
      "a smaller model of the same vocabulary that guesses; without it, what the text said before");
}

Result<std::optional<partita::Model>> SpeculationFlags::open_draft(const Common& common) const {
  if (draft.empty()) return std::optional<partita::Model>();
  auto path = partita::find_model(draft);
  if (!path) return path.error();
  Common own = common;
  own.head = "full";  // it tells how likely its guesses are, which takes every logit
  auto opened = open_model_at(*path, own, false, common.exact);
  if (!opened) return opened.error();
  return std::optional<partita::Model>(std::move(opened->model));
}

}  // namespace tools
