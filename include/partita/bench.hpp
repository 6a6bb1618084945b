// Benchmark: prefill and decode rates of a model on this machine, and its memory bandwidth.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "partita/cancel.hpp"
#include "partita/export.hpp"
#include "partita/model.hpp"
#include "partita/result.hpp"

namespace partita {

struct BenchOptions {
  std::size_t prefill = 512;  // prompt tokens of each sequence; 0: not measured
  std::size_t decode = 64;    // generated tokens of each sequence; 0: not measured
  std::size_t depth = 0;      // tokens in the cache before each measurement
  std::size_t sequences = 1;  // that decode together; 1 .. 512
  std::size_t repeat = 3;     // measurements, after one that does not count
};

struct BenchResult {
  double read_GBps = 0;  // memory bandwidth of all threads, over an area of the model's size; 1e9 bytes/s
  std::vector<double> prefill_tps, decode_tps;  // [repeat], tokens per second of all sequences
  double decode_GBps = 0;                       // weights read per second of decode, in 1e9 bytes
  double bound_fraction = 0;                    // decode_GBps / read_GBps
  double head_bytes = 0;  // bytes of output matrix and screen read for one greedy token; the mean
  /// With OpenOptions::head_budget, over the tokens of one more decode: the mean KL divergence (natural) of
  /// its distributions from the full head's, and how often both have the same likeliest token.
  std::optional<double> head_kl, head_same_top;
};

/// Errors: kInvalidArgument naming option, value and limits; kCancelled; those of the cache.
PARTITA_API Result<BenchResult> bench(const Model& model, const BenchOptions& options,
                                      const CancelFlag* cancel = nullptr);

}  // namespace partita
