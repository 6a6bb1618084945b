// Several models that answer together: the options, and opening them.
#pragma once

#include <string>
#include <vector>

#include "tools/common.h"

namespace tools {

/// A model beside the main one.
struct Companion {
  std::string model;  // as on the command line
  float weight = 1;
};

struct EnsembleFlags {
  std::vector<std::string> with;  // MODEL or MODEL=WEIGHT
  float weight = 1;               // of the main model
  std::string space = "probability";

  /// Those of --with; none: the model answers alone. Error: what can be no ensemble, whatever the models.
  partita::Result<std::vector<Companion>> companions() const;
};

/// --with, --weight, --ensemble.
void add_ensemble(Command command, EnsembleFlags& flags);

struct OpenedEnsemble {
  partita::Ensemble ensemble;
  partita::ModelInfo info;  // of the main model, with the bytes that all read for a token
  double load_s = 0;        // of all
  Json members;             // [{"model","weight"}]
};

/// Opens the companions of the model that is `first`; one that is named twice is opened once.
partita::Result<OpenedEnsemble> open_ensemble(const Common& common, const EnsembleFlags& flags,
                                              const std::vector<Companion>& companions, const Opened& first);

}  // namespace tools
