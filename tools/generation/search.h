// Decoding by search in `generate` (beam search, best-of-n, contrastive search): options and output.
#pragma once

#include <string>
#include <vector>

#include "tools/common.h"

namespace tools {

struct SearchFlags {
  partita::Search search;
  std::string early_stopping = "false";

  /// Whether any search was asked for.
  bool asked() const { return search.beams > 1 || search.best_of > 0 || search.penalty_alpha > 0; }
  /// The usage error for options that have no effect without another, found before a model is opened. Empty:
  /// none.
  std::string misused() const;
  partita::Search resolved() const;
  /// Sets the temperature to 1 for searches that draw no tokens, unless one was given on the command line
  /// (the library then refuses it).
  void settle(partita::Sampling& sampling) const;

  std::vector<Option> of_beams;  // options that need --beams
  Option n_best;
  Option length_penalty;
  Option temperature;
};
/// Precondition: add_sampling() was called.
void add_search(Command command, SearchFlags& flags);

/// Searches and prints the answers; returns the exit code. With --json: the fields of a generated answer for
/// the best one, and "answers":[{"ids","text","score","finish"}].
int run_search(const Common& common, const Opened& opened, partita::Session& session,
               const partita::Request& request, const SearchFlags& flags);

}  // namespace tools
