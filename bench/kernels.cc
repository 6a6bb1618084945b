// The kernels other than matrix products: bytes or floating-point operations per second, beside the roofline
// measured on memory of the same size (roof.h). One thread; PARTITA_ISA selects the kernels.
#include "engine/kernels/kernels.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/roof.h"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/panels.h"

namespace partita::internal {
namespace {

/// One kernel with memory of its own.
struct Case {
  std::string name;
  std::size_t bytes;  // that a run must read or write
  double flops;       // 0: only bytes count
  std::function<void()> once;
};

std::vector<float> numbers(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i * 7919 % 2001) / 1000.0F - 1.0F;
  return values;
}

/// What a tile of queries attends to: `keys` keys and values of one head, or latents.
struct Keys {
  HeadWidths widths;
  std::size_t count;
  bool latent = false;

  std::size_t key_bytes() const { return kv_key_bytes(KvType::kF16, widths.key); }
  std::size_t page_bytes() const {
    return key_bytes() + (latent ? 0 : kv_value_bytes(KvType::kF16, widths.value));
  }
};

/// Keys as in the cache, and a tile of queries that attend to all of them.
struct Attention {
  Attention(const Kernels& k, std::size_t rows, const Keys& which)
      : kernels(k),
        keys(which),
        pages(keys.count / kPageTokens),
        cache(pages * keys.page_bytes()),
        q(numbers(latent_columns(rows) * keys.widths.key)),
        first(rows, 0),
        last(rows, kPageTokens),
        max(rows),
        sum(rows),
        out(rows * keys.widths.value),
        tile{q.data(), static_cast<int>(rows), keys.widths, first.data(), last.data()} {
    const std::vector<float> token = numbers(keys.widths.key);
    for (std::size_t t = 0; t < pages * kPageTokens; ++t) {
      std::byte* page = cache.data() + t / kPageTokens * keys.page_bytes();
      const int slot = static_cast<int>(t % kPageTokens);
      if (keys.latent) {
        kernels.append_latent(KvType::kF16, token.data(), keys.widths.key, slot, page);
      } else {
        kernels.append(KvType::kF16, token.data(), token.data(), keys.widths, slot, page,
                       page + keys.key_bytes());
      }
    }
  }

  void run() {
    max.assign(max.size(), -std::numeric_limits<float>::infinity());
    sum.assign(sum.size(), 0.0F);
    out.assign(out.size(), 0.0F);
    const auto attend = keys.latent ? kernels.attend_latent : kernels.attend;
    for (std::size_t p = 0; p < pages; ++p) {
      const std::byte* page = cache.data() + p * keys.page_bytes();
      attend(KvType::kF16, tile, {page, page + keys.key_bytes()}, kPageTokens,
             {max.data(), sum.data(), out.data()});
    }
    kernels.finish({max.data(), sum.data(), out.data()}, tile.rows, tile.widths.value);
  }

  const Kernels& kernels;
  const Keys keys;
  std::size_t pages;
  AlignedBytes cache;  // [pages]{ K, V } of f16
  std::vector<float> q;
  std::vector<std::int32_t> first, last;
  std::vector<float> max, sum, out;
  QueryTile tile;
};

Case attention(const Kernels& k, const char* name, std::size_t rows, const Keys& keys, bool count_bytes) {
  const auto work = std::make_shared<Attention>(k, rows, keys);
  // q . k and w v, two each.
  const double flops = 2.0 * static_cast<double>(rows * keys.count * (keys.widths.key + keys.widths.value));
  return {std::string(name) + "/rows:" + std::to_string(rows) + "/keys:" + std::to_string(keys.count),
          work->cache.size(), count_bytes ? 0 : flops, [work] { work->run(); }};
}

/// Multi-head latent attention in the shape of DeepSeek V2 Lite, 16 heads at depth 4,096: over the latents,
/// and in the expanded form over a key and a value for each head (one head here, with as many keys as all
/// have).
void add_latent_attention(const Kernels& k, std::vector<Case>& cases) {
  constexpr HeadWidths kLatent = {576, 512}, kExpanded = {192, 128};
  constexpr std::size_t kHeads = 16, kDepth = 4096;
  cases.push_back(attention(k, "latent_decode", kHeads, {kLatent, kDepth, true}, false));
  cases.push_back(attention(k, "expanded_decode", 1, {kExpanded, kHeads * kDepth}, true));
  cases.push_back(attention(k, "latent_prefill", kMaxQueryRows, {kLatent, kDepth, true}, false));
  cases.push_back(attention(k, "expanded_prefill", kMaxQueryRows, {kExpanded, kDepth}, false));
}

Case quantize(const Kernels& k, std::size_t rows, std::size_t cols) {
  const auto work = std::make_shared<ActivationBuffer>(rows, cols);
  const std::vector<float> values = numbers(rows * cols);
  std::copy(values.begin(), values.end(), work->values());
  return {"quantize/cols:" + std::to_string(cols), rows * cols * 6, 0,
          [&k, work, rows, cols] { k.quantize(work->view(rows, cols), 0, rows); }};
}

/// A kernel from `inputs` vectors of n floats to one; run(in, out), where in(i) is the i-th.
template <class F>
Case elementwise(const char* name, std::size_t n, std::size_t inputs, bool writes, F run) {
  const auto from = std::make_shared<std::vector<float>>(numbers(n * inputs));
  const auto to = std::make_shared<std::vector<float>>(n);
  return {std::string(name) + "/n:" + std::to_string(n), (inputs + (writes ? 1 : 0)) * n * sizeof(float), 0,
          [from, to, n, run] { run([&](std::size_t i) { return from->data() + i * n; }, to->data()); }};
}

std::vector<Case> all(const Kernels& k) {
  constexpr std::size_t kHidden = 2048, kFfn = 8192, kVocab = 128256, kHeads = 32, kHalf = 32;
  std::vector<Case> cases;
  constexpr HeadWidths kHead = {64, 64};
  cases.push_back(attention(k, "attention_decode", 4, {kHead, 16384}, true));
  cases.push_back(attention(k, "attention_decode", 4, {kHead, 512}, true));
  cases.push_back(attention(k, "attention_decode", 3, {kHead, 512}, true));
  cases.push_back(attention(k, "attention_prefill", kMaxQueryRows, {kHead, 512}, false));
  add_latent_attention(k, cases);
  cases.push_back(quantize(k, 1, kHidden));
  cases.push_back(quantize(k, 1, kFfn));
  cases.push_back(elementwise("rms_norm", kHidden, 2, true,
                              [&k](auto in, float* out) { k.rms_norm(in(0), in(1), kHidden, 1e-5F, out); }));
  cases.push_back(
      elementwise("add", kHidden, 1, true, [&k](auto in, float* out) { k.add(in(0), kHidden, out); }));
  for (const auto& [name, f] :
       {std::pair{"gate_silu", GateFunction::kSilu}, std::pair{"gate_gelu", GateFunction::kGeluTanh}}) {
    cases.push_back(elementwise(name, kFfn, 2, true,
                                [&k, f = f](auto in, float* out) { k.gate(f, in(0), in(1), kFfn, out); }));
  }
  // The heads of one token: each is read, rotated and written; the angles stay in the cache.
  const auto cos = std::make_shared<std::vector<float>>(kHalf),
             sin = std::make_shared<std::vector<float>>(kHalf);
  for (std::size_t i = 0; i < kHalf; ++i) {
    (*cos)[i] = std::cos(static_cast<float>(i));
    (*sin)[i] = std::sin(static_cast<float>(i));
  }
  cases.push_back(elementwise("rope", kHeads * 2 * kHalf, 1, true, [&k, cos, sin](auto, float* out) {
    for (std::size_t h = 0; h < kHeads; ++h) k.rope(out + h * 2 * kHalf, cos->data(), sin->data(), kHalf);
  }));
  cases.push_back(elementwise("max", kVocab, 1, false,
                              [&k](auto in, float*) { benchmark::DoNotOptimize(k.max(in(0), kVocab)); }));
  cases.push_back(elementwise("exp_sum", kVocab, 1, false, [&k](auto in, float*) {
    benchmark::DoNotOptimize(k.exp_sum(in(0), kVocab, 1.0F, 1.0F, nullptr));
  }));
  cases.push_back(elementwise("exp_sum_kept", kVocab, 1, true, [&k](auto in, float* out) {
    benchmark::DoNotOptimize(k.exp_sum(in(0), kVocab, 1.0F, 1.0F, out));
  }));
  return cases;
}

void measure(benchmark::State& state, const Case& c, double roof) {
  for (auto _ : state) {
    c.once();
    benchmark::ClobberMemory();
  }
  const double amount = (c.flops > 0 ? c.flops : static_cast<double>(c.bytes)) * 1e-9;
  // Printed as "GB=20.4/s roof=28.1", both per second.
  state.counters[c.flops > 0 ? "GFLOP" : "GB"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * amount, benchmark::Counter::kIsRate);
  state.counters["roof"] = roof * 1e-9;
}

}  // namespace
}  // namespace partita::internal

int main(int argc, char** argv) {
  using namespace partita;
  using namespace partita::internal;
  const Result<Isa> isa = choose_isa();
  if (!isa) {
    std::fprintf(stderr, "kernels: %s\n", isa.error().message.c_str());
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("kernels", std::string(name(*isa)));
  const std::vector<Case> cases = all(kernels(*isa));
  const double flops = fma_roof(*isa);
  for (const Case& c : cases) {
    const double roof = c.flops > 0 ? flops : read_roof(c.bytes);
    benchmark::RegisterBenchmark(c.name.c_str(), measure, c, roof)->Unit(benchmark::kMicrosecond);
  }
  benchmark::RunSpecifiedBenchmarks();
}
