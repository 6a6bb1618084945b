// What `generate` asks of Session::search: its options, and how its answers are shown.
#pragma once

#include <string>
#include <vector>

#include "tools/common.h"

namespace tools {

struct SearchFlags {
  partita::Search search;
  std::string early_stopping = "false";

  /// Whether answers are searched for at all.
  bool asked() const { return search.beams > 1 || search.best_of > 0 || search.penalty_alpha > 0; }
  /// What the program can refuse before it opens a model: options that say nothing without another. Empty if
  /// there are none.
  std::string misused() const;
  partita::Search resolved() const;
  /// A search that draws nothing has no temperature; the program's default is not for it. Whatever was given
  /// stays, to be looked at.
  void settle(partita::Sampling& sampling) const;

  std::vector<Option> of_beams;  // that need --beams
  Option n_best;
  Option length_penalty;
  Option temperature;
};
/// After add_sampling().
void add_search(Command command, SearchFlags& flags);

/// Searches and shows what was found; the exit code. With --json the fields of a generated answer for the
/// best one, and "answers":[{"ids","text","score","finish"}].
int run_search(const Common& common, const Opened& opened, partita::Session& session,
               const partita::Request& request, const SearchFlags& flags);

}  // namespace tools
