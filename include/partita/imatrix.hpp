// Measuring an importance matrix: the mean square of every column that the linear layers of a model read, on
// a text. quantize() (quantize.hpp) gives columns with larger ones smaller errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "partita/export.hpp"
#include "partita/result.hpp"

namespace partita {

struct ImatrixOptions {
  int threads = 0;                               // as in OpenOptions
  std::string vocabulary;                        // as in OpenOptions
  std::size_t chunk = 512;                       // tokens that are read as one text; at least 2
  std::string dataset;                           // the text's name, for the file; of a file: its path
  std::function<bool(float fraction)> progress;  // returning false stops it
};

struct ImatrixResult {
  std::string path;
  std::size_t tensors = 0, chunks = 0, tokens = 0;
};

/// Reads `text` with a model, in chunks of equal size (what is left at the end is not read), and writes the
/// importance matrix to `path`, in the GGUF format of llama.cpp's llama-imatrix. Experts have rows of their
/// own; the token embedding, the LM head and matrices that are multiplied in the latents of attention have
/// none. The same bytes on any number of threads. Errors: those of Model::open(); kInvalidArgument for a text
/// of less than a chunk, and for a `path` that is the model or the text; kBadNumbers where the model computes
/// NaN or infinity; kIo; kCancelled.
PARTITA_API Result<ImatrixResult> measure_imatrix(const std::string& model_path, std::string_view text,
                                                  const std::string& path,
                                                  const ImatrixOptions& options = {});

}  // namespace partita
