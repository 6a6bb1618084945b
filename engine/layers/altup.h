// AltUp (Baykal et al. 2023) in a step: a layer predicts all versions of a row, computes with one of them,
// and corrects all by what became of it. Between layers ws.x is what still joins all versions but the first.
#pragma once

#include "engine/kernels/parallel.h"
#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

// All workers call these together; the rows are complete on return.

/// Fills ws.versions from the embedded rows ws.x, if the model has versions.
void spread_versions(const Worker& worker, Workspace& ws);

/// Before a layer: ws.versions = what it predicts, ws.x = the active one.
void predict(const Worker& worker, Workspace& ws, const AltUp& altup);

/// After mixer and FFN: corrects ws.versions by ws.x; ws.x = the active one, scaled, which TokenInput reads.
void correct(const Worker& worker, Workspace& ws, const AltUp& altup);

/// After the last layer: ws.x = the mean of the versions, if the model has any.
void merge_versions(const Worker& worker, Workspace& ws);

}  // namespace partita::internal
