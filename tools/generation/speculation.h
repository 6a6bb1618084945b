// Speculative decoding: the options --speculation and --draft of generate, chat and batch.
#pragma once

#include <optional>
#include <partita/partita.hpp>
#include <string>

#include "tools/cli/options.h"
#include "tools/common.h"

namespace tools {

struct SpeculationFlags {
  partita::Speculation kind = partita::Speculation::kAuto;
  std::string draft;  // draft model; empty: none

  /// Opens the draft model that --draft names, if any.
  partita::Result<std::optional<partita::Model>> open_draft(const Common& common) const;
  /// Opens it for a session.
  partita::Result<void> draft_for(partita::Session& session, const Common& common) const;
};
void add_speculation(Command command, SpeculationFlags& flags);

}  // namespace tools
