// --speculation and --draft, as generate, chat and batch take them.
#pragma once

#include <optional>
#include <partita/partita.hpp>
#include <string>

#include "tools/common.h"
#include "tools/options.h"

namespace tools {

struct SpeculationFlags {
  partita::Speculation kind = partita::Speculation::kWherePays;
  std::string draft;  // a model; empty: none

  /// The model that --draft names, if it names one.
  partita::Result<std::optional<partita::Model>> open_draft(const Common& common) const;
};
void add_speculation(Command command, SpeculationFlags& flags);

}  // namespace tools
