// Ensembles of models that answer together: their options, and opening them.
#pragma once

#include <string>
#include <vector>

#include "tools/common.h"

namespace tools {

/// A model of --with, which joins the main model in an ensemble.
struct AddedModel {
  std::string model;  // as on the command line
  float weight = 1;
};

struct EnsembleFlags {
  std::vector<std::string> with;  // MODEL or MODEL=WEIGHT
  float weight = 1;               // of the main model
  std::string space = "probability";

  /// The models of --with; none: the model answers alone. Error: weights or a count that no ensemble can
  /// have.
  partita::Result<std::vector<AddedModel>> added_models() const;
};

/// --with, --weight, --ensemble.
void add_ensemble(Command command, EnsembleFlags& flags);

struct OpenedEnsemble {
  partita::Ensemble ensemble;
  partita::ModelInfo info;  // of the main model, with the bytes that all models read for a token
  double load_s = 0;        // of all models
  Json members;             // [{"model","weight"}]
};

/// Opens the models of --with, which join `first`; a model that is named twice is opened once.
partita::Result<OpenedEnsemble> open_ensemble(const Common& common, const EnsembleFlags& flags,
                                              const std::vector<AddedModel>& added_models,
                                              const Opened& first);

}  // namespace tools
