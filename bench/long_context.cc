// long_context MODEL.gguf [TOKENS [THREADS]]: prefill of one long prompt: the time per token along it, the
// lower bound of the time of its attention, and the memory used beside the size of the cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/roof.h"
#include "engine/cache/kv_cache.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/usable_threads.h"
#include "engine/step.h"
#include "weights/gguf/gguf.h"

namespace {

using namespace partita;

using namespace partita::internal;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kRows = 512;

int fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

/// A line of /proc/self/status with a value in kB, in bytes.
double memory(const std::string& line) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == line + ":" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

/// Floating-point operations of attention for all tokens at positions [first, first + n): two for every
/// dimension of every attended key, for the products of queries with keys and again for the sum of values.
double attention_operations(const Config& c, std::size_t first, std::size_t n) {
  double keys = 0;
  for (const LayerKind& kind : c.layer_kinds) {
    for (std::size_t p = first; p < first + n; ++p) {
      const std::size_t seen = kind.window != 0 ? std::min<std::size_t>(p + 1, kind.window) : p + 1;
      keys += static_cast<double>(seen);
    }
  }
  return 4.0 * keys * c.heads * c.head_dim;
}

int run(const std::string& path, std::size_t tokens, int threads) {
  auto file = Gguf::open(path);
  if (!file) return fail(file.error());
  LoadOptions options;
  options.threads = threads;
  auto model = Transformer::load(*file, options);
  if (!model) return fail(model.error());
  const Config& c = (*model)->config();
  Engine engine(*model, threads, kRows);
  KvPool pool((*model)->states(), (*model)->kv_type(), 0);
  KvSequence sequence(pool);
  std::vector<float> hidden(c.hidden_size);
  std::vector<std::int32_t> ids(kRows);
  const auto step = [&]() -> Result<double> {  // seconds per token
    const std::size_t n = std::min(kRows, tokens - sequence.length());
    for (std::size_t i = 0; i < n; ++i) {
      ids[i] = static_cast<std::int32_t>((sequence.length() + i) * 7919 % c.vocab_size);
    }
    const auto start = Clock::now();
    const Chunk chunk{&sequence, {ids.data(), n}, Role::kPrompt, 1};
    if (auto done = engine.step({&chunk, 1}, hidden.data()); !done) return done.error();
    return std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(n);
  };
  if (auto warm = step(); !warm) return fail(warm.error());  // buffers are touched
  const double resident = memory("VmRSS") - static_cast<double>(pool.bytes_in_use());
  sequence.truncate(0);
  const double roof = fma_roof((*model)->isa()) * threads;
  const auto bound = [&](std::size_t depth) {
    return roof > 0 ? attention_operations(c, depth, kRows) / static_cast<double>(kRows) / roof : 0;
  };
  std::printf("%s kernels, %d threads; fused multiply-adds on registers: %.1f GFLOP/s\n",
              std::string(name((*model)->isa())).c_str(), threads, roof * 1e-9);
  std::printf("%8s %12s %18s %8s %12s %10s %10s\n", "depth", "us a token", "attention's bound", "rest",
              "bound + rest", "grown MB", "cache MB");
  double rest = 0;  // a token without attention: the time of the first rows beyond their bound
  std::size_t next = 0;
  while (sequence.length() + kRows <= tokens) {
    const std::size_t depth = sequence.length();
    auto seconds = step();
    if (!seconds) return fail(seconds.error());
    if (depth == 0) rest = *seconds - bound(0);
    const bool last = sequence.length() + kRows > tokens;
    if (depth < next && !last) continue;
    std::printf("%8zu %12.1f %18.1f %8.1f %12.1f %10.1f %10.1f\n", depth, *seconds * 1e6, bound(depth) * 1e6,
                rest * 1e6, (bound(depth) + rest) * 1e6, (memory("VmRSS") - resident) * 1e-6,
                static_cast<double>(pool.bytes_in_use()) * 1e-6);
    std::fflush(stdout);
    next = depth < 8192 ? std::max<std::size_t>(2 * depth, 1024) : depth + 4096;
  }
  std::printf("peak memory %.1f MB: %.1f MB before the prompt, the cache, and %.1f MB\n",
              memory("VmHWM") * 1e-6, resident * 1e-6,
              (memory("VmHWM") - resident - static_cast<double>(pool.bytes_in_use())) * 1e-6);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "long_context MODEL.gguf [TOKENS [THREADS]]\n");
    return 2;
  }
  const std::size_t tokens = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 32768;
  return run(argv[1], tokens, argc > 3 ? std::atoi(argv[3]) : usable_threads());
}
