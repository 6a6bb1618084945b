#include "tools/generation/ensemble.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tools {

using partita::EnsembleMember;
using partita::Error;
using partita::ErrorCode;
using partita::Result;

namespace {

/// Parses "MODEL=WEIGHT" or "MODEL": the text after the last "=" is a weight if it is a number.
AddedModel parse_added_model(const std::string& text) {
  const std::size_t at = text.rfind('=');
  if (at == std::string::npos) return {text};
  float weight = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, problem] = std::from_chars(text.data() + at + 1, end, weight);
  if (problem != std::errc() || stopped != end) return {text};
  return {text.substr(0, at), weight};
}

std::string check_space(const std::string& space) {
  if (space == "probability" || space == "logit") return {};
  return "it is probability or logit, not \"" + space + "\"";
}

Error no_weight(const std::string& option, float weight) {
  return {ErrorCode::kInvalidArgument,
          option + " has the weight " + std::to_string(weight) + "; it must be finite and at least 0"};
}

/// The model that was opened from `path` before, if `members` has it; else opens it.
Result<Opened> open_once(const Common& common, const std::string& path,
                         const std::vector<EnsembleMember>& members) {
  const auto same = std::find_if(members.begin(), members.end(),
                                 [&](const EnsembleMember& m) { return m.model.info().path == path; });
  if (same != members.end()) return Opened{same->model, 0};
  return open_model_at(path, common, false, common.exact);
}

}  // namespace

Result<std::vector<AddedModel>> EnsembleFlags::added_models() const {
  std::vector<AddedModel> all;
  if (with.empty()) return all;
  const auto good = [](float w) { return w >= 0 && std::isfinite(w); };
  if (!good(weight)) return no_weight("--weight", weight);
  bool some = weight > 0;
  for (const std::string& text : with) {
    all.push_back(parse_added_model(text));
    if (!good(all.back().weight)) return no_weight("--with " + text, all.back().weight);
    some = some || all.back().weight > 0;
  }
  if (!some) return Error{ErrorCode::kInvalidArgument, "--weight and all weights of --with are 0"};
  if (all.size() + 1 > partita::Ensemble::kMaxMembers) {
    return Error{ErrorCode::kInvalidArgument, "--with is given " + std::to_string(all.size()) +
                                                  " times; an ensemble has at most " +
                                                  std::to_string(partita::Ensemble::kMaxMembers) + " models"};
  }
  return all;
}

void add_ensemble(Command command, EnsembleFlags& flags) {
  command.heading(Heading::kEnsemble);
  const Option with = command
                          .add_option("--with", flags.with,
                                      "another model of the same vocabulary that answers too; repeatable")
                          .value_name("MODEL[=WEIGHT]")
                          .repeatable();
  command.add_option("--weight", flags.weight, "weight of the first model").needs(with).show_default();
  command.add_option("--ensemble", flags.space, "average of these; logit: geometric")
      .needs(with)
      .check(check_space, "probability|logit")
      .show_default();
}

Result<OpenedEnsemble> open_ensemble(const Common& common, const EnsembleFlags& flags,
                                     const std::vector<AddedModel>& added_models, const Opened& first) {
  std::vector<EnsembleMember> members = {{first.model, flags.weight}};
  double load_s = first.load_s;
  for (const AddedModel& added : added_models) {
    auto path = partita::find_model(added.model);
    if (!path) return path.error();
    auto opened = open_once(common, *path, members);
    if (!opened) return opened.error();
    members.push_back({opened->model, added.weight});
    load_s += opened->load_s;
  }

  Json shown = Json::array();
  partita::ModelInfo info = first.model.info();
  info.bytes_per_token = 0;
  for (const EnsembleMember& member : members) {
    shown.push_back({{"model", member.model.info().path}, {"weight", member.weight}});
    if (member.weight > 0) info.bytes_per_token += member.model.info().bytes_per_token;
  }
  const auto space =
      flags.space == "logit" ? partita::EnsembleSpace::kLogit : partita::EnsembleSpace::kProbability;
  auto ensemble = partita::Ensemble::create(std::move(members), space);
  if (!ensemble) return ensemble.error();
  return OpenedEnsemble{std::move(*ensemble), std::move(info), load_s, std::move(shown)};
}

}  // namespace tools
