// Making the screen of a dense LM head: a small approximation of the output matrix with error bounds, from
// which most tokens are chosen without reading the matrix (docs/heads.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "partita/export.hpp"
#include "partita/result.hpp"

namespace partita {

struct PrepareOptions {
  int threads = 0;                               // as in OpenOptions
  std::string vocabulary = {};                   // as in OpenOptions
  std::string path;                              // of the screen; empty: where Model::open() looks for it
  std::size_t states = 0;                        // hidden states to calibrate it on; 0: chosen by size
  std::uint64_t seed = 0;                        // of the calibration text
  std::function<bool(float fraction)> progress;  // returning false stops it
};

struct PrepareResult {
  std::string path;
  std::size_t states = 0, screen_bytes = 0, head_bytes = 0;  // head_bytes: of the whole matrix
  double full_s = 0, screened_s = 0;  // seconds that either head takes for a greedy token; medians
};

/// Makes the screen of a model's head, calibrated on text that the model generates, and stores it beside the
/// model. Needed once for each model; takes seconds to minutes. Errors: those of Model::open(); kUnsupported
/// for a head that is not dense or no larger than its screen; kInvalidArgument; kIo; kCancelled.
PARTITA_API Result<PrepareResult> prepare(const std::string& model_path, const PrepareOptions& options = {});

}  // namespace partita
