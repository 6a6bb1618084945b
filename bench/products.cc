// The matrix products of the best kernels of this processor: weights read per second for few rows,
// multiplications per second for many, and the float product of oneDNN, beside the roofline of roof.h. One
// thread.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/roof.h"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/tile_products.h"
#include "tests/packed.h"

namespace partita::internal {
namespace {

constexpr std::size_t kCols = 1536;

/// A matrix of zeros and activations of `rows` rows, with all their memory.
struct Case {
  Case(Dtype type, std::size_t outputs, std::size_t rows)
      : w(test::pack(type, outputs, kCols,
                     std::vector<std::byte>(outputs * kCols / block_elements(type) * block_bytes(type)))),
        buffer(rows, kCols),
        x(buffer.view(rows, kCols)),
        y(rows * outputs),
        scratch(matmul_scratch_bytes(kCols)) {
    std::fill_n(buffer.values(), rows * kCols, 1.0F);
    table.quantize(x, 0, rows);
  }
  const Kernels& table = kernels(choose_isa().value());
  test::OwnedMatrix w;
  ActivationBuffer buffer;
  Activations x;
  std::vector<float> y;
  AlignedBytes scratch;
};

void rates(benchmark::State& state, const Case& c) {
  const double runs = static_cast<double>(state.iterations());
  state.counters["weights_B/s"] =
      benchmark::Counter(runs * static_cast<double>(c.w.bytes()), benchmark::Counter::kIsRate);
  state.counters["MAC/s"] = benchmark::Counter(runs * static_cast<double>(c.w.rows * c.w.cols * c.x.rows),
                                               benchmark::Counter::kIsRate);
}

void own(benchmark::State& state, Dtype type, std::size_t rows) {
  Case c(type, rows == 1 ? 65536 : 1536, rows);
  for (auto _ : state) {
    c.table.matmul(c.w, {0, c.w.panels()}, c.x, c.y.data(), c.w.rows, c.scratch.data());
    benchmark::DoNotOptimize(c.y.data());
  }
  rates(state, c);
}

void onednn_float(benchmark::State& state, Dtype type, std::size_t rows) {
  Case c(type, 1536, rows);
  const std::size_t cols[] = {kCols};
  Result<std::unique_ptr<TileProducts>> tiles = TileProducts::create(TileType::kF32, cols, rows, 1, c.table);
  if (!tiles) return state.SkipWithError(tiles.error().message.c_str());
  for (auto _ : state) {
    (*tiles)->convert_rows(c.x.values, rows, kCols, 0, rows);
    if (!(*tiles)->multiply(0, c.w, 0, c.w.panels(), rows, c.y.data(), c.w.rows))
      return state.SkipWithError("failed");
  }
  rates(state, c);
}

void register_all() {
  for (const Dtype type :
       {Dtype::kQ4_0, Dtype::kQ4_1, Dtype::kQ5_0, Dtype::kQ8_0, Dtype::kQ2_K, Dtype::kQ3_K, Dtype::kQ4_K,
        Dtype::kQ6_K, Dtype::kIQ4_XS, Dtype::kMXFP4, Dtype::kNVFP4, Dtype::kIQ3_S, Dtype::kIQ2_XXS,
        Dtype::kIQ1_S, Dtype::kTQ2_0, Dtype::kQ1_0, Dtype::kF16}) {
    for (const std::size_t rows : {1, 4, 16, 512}) {
      const std::string label = std::string(name(type)) + "/rows:" + std::to_string(rows);
      benchmark::RegisterBenchmark(("own/" + label).c_str(), own, type, rows)->Unit(benchmark::kMicrosecond);
    }
  }
  benchmark::RegisterBenchmark("onednn_float/Q4_1/rows:512", onednn_float, Dtype::kQ4_1, std::size_t{512})
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace partita::internal

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const partita::internal::Isa isa = partita::internal::choose_isa().value();
  const auto billions = [](double rate) { return std::to_string(rate * 1e-9); };
  benchmark::AddCustomContext("roof of weights, 64 MiB read, GB/s",
                              billions(partita::internal::read_roof(64 << 20)));
  benchmark::AddCustomContext("roof of float MACs, 1e9/s", billions(partita::internal::fma_roof(isa) / 2));
  partita::internal::register_all();
  benchmark::RunSpecifiedBenchmarks();
}
