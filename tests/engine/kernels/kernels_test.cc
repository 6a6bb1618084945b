// Every kernel table that this processor can run, against the scalar definition; also the products of oneDNN.
#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/tile_products.h"
#include "tests/catch.h"
#include "tests/engine/kernels/kernel_checks.h"
#include "tests/environment.h"
#include "tests/packed.h"
#include "weights/codecs/codec.h"

namespace partita::internal::test {
namespace {

template <class Check>
void on_every_isa(Check&& check) {
  for (const Isa isa : supported_isas()) {
    if (isa == Isa::kAmx) continue;  // the table of kVnni
    CAPTURE(std::string(name(isa)));
    REQUIRE(kernels(isa).isa == isa);
    check(kernels(isa));
  }
}

OwnedMatrix random_q8(std::size_t rows, std::size_t cols) {
  std::vector<float> values(rows * cols);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i)));
  std::vector<std::byte> blocks(rows * cols / 32 * block_bytes(Dtype::kQ8_0));
  codec(Dtype::kQ8_0).quantize(values.data(), values.size(), blocks.data());
  return pack(Dtype::kQ8_0, rows, cols, blocks);
}

}  // namespace

TEST_CASE("products match the definition on every instruction set") { on_every_isa(check_products); }
TEST_CASE("a screen has the bits of the definition on every instruction set") { on_every_isa(check_screen); }
TEST_CASE("a change of basis has the bits of the definition on every instruction set") {
  on_every_isa(check_change_basis);
}
TEST_CASE("elementwise kernels match the definition on every instruction set") {
  on_every_isa(check_elementwise);
}
TEST_CASE("attention matches the definition on every instruction set", "[slow]") {
  on_every_isa(check_attention);
}
TEST_CASE("recurrences match the definition on every instruction set, and do not depend on calls") {
  on_every_isa(check_recurrences);
}
TEST_CASE("spans are merged as defined on every instruction set, NaN included") {
  on_every_isa(check_merge);
  check_merge(exact_kernels());
}

TEST_CASE("all vector instruction sets give the same bits, on every architecture") {
  on_every_isa([](const Kernels& table) {
    if (table.isa == Isa::kScalar) return;
    check_recorded_bits(table);
    check_recorded_recurrences(table);
  });
}

TEST_CASE("products in 16-bit activations stay near the exact product") {
  const OwnedMatrix w = random_q8(40, 576);
  ActivationBuffer x(1, 576);
  for (std::size_t i = 0; i < 576; ++i)
    x.values()[i] = static_cast<float>(std::cos(0.3 * static_cast<double>(i)) * (i % 97 == 0 ? 50 : 1));
  std::vector<float> exact(40), fast(40);
  const Activations a = x.view(1, 576);
  AlignedBytes scratch(matmul_scratch_bytes(576));
  exact_kernels().matmul(w, {0, w.panels()}, a, exact.data(), 40, scratch.data());
  on_every_isa([&](const Kernels& table) {
    table.quantize(a, 0, 1);
    table.matmul(w, {0, w.panels()}, a, fast.data(), 40, scratch.data());
    for (std::size_t i = 0; i < 40; ++i)
      CHECK(std::abs(fast[i] - exact[i]) < 2e-2);  // 50 / 65534 x sum |w| ~ 0.3
  });
}

namespace {

constexpr std::size_t kTileTestRows = 130;

std::vector<float> cosines(std::size_t n) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(std::cos(static_cast<double>(i)));
  return x;
}

/// The rounding of both factors, and the allowed error of a float sum of this many products.
struct TileRounding {
  float (*of)(float);
  double sum;  // relative to the sum of magnitudes
};
TileRounding tile_rounding(TileType type, std::size_t cols) {
  const double sum = static_cast<double>(cols) * 0x1p-24;
  if (type == TileType::kF32) return {[](float v) { return v; }, sum};
  return {[](float v) { return bf16_to_f32(f32_to_bf16(v)); }, sum};
}

/// got: [rows][ld] for the rows x, against the exact sums of rounded factors.
void check_values(TileType type, const PackedMatrix& w, const std::vector<float>& x,
                  const std::vector<float>& got, std::size_t ld) {
  const TileRounding rounding = tile_rounding(type, w.cols);
  std::vector<float> line(w.cols);
  std::size_t wrong = 0;
  for (std::size_t c = 0; c < w.rows; ++c) {
    unpack_row(w, c, line.data());
    for (std::size_t r = 0; r < kTileTestRows; ++r) {
      double sum = 0, magnitude = 0;
      for (std::size_t k = 0; k < w.cols; ++k) {
        const double term =
            static_cast<double>(rounding.of(line[k])) * static_cast<double>(rounding.of(x[r * w.cols + k]));
        sum += term;
        magnitude += std::abs(term);
      }
      wrong += !(std::abs(got[r * ld + c] - sum) <= rounding.sum * magnitude + 1e-30);
    }
  }
  CHECK(wrong == 0);
  for (std::size_t r = 0; r < kTileTestRows; ++r) REQUIRE(std::isnan(got[r * ld + w.rows]));
}

/// Products of 130 rows, whole and row by row, in the given type.
void check_tiles(TileType type, bool invariant) {
  const std::size_t cols[] = {96, 64, 16, 576};
  const Kernels& table = kernels(supported_isas().back());
  Result<std::unique_ptr<TileProducts>> tiles = TileProducts::create(type, cols, kTileTestRows, 1, table);
  REQUIRE(tiles.ok());
  for (const std::size_t width : {96, 576}) {
    const std::vector<float> x = cosines(kTileTestRows * width);
    for (const std::size_t outputs : {1, 64, 100}) {
      CAPTURE(width, outputs);
      const OwnedMatrix w = random_q8(outputs, width);
      std::vector<float> got(kTileTestRows * (outputs + 1), NAN), alone(outputs + 1);
      (*tiles)->convert_rows(x.data(), kTileTestRows, width, 0, 70);
      (*tiles)->convert_rows(x.data(), kTileTestRows, width, 70, kTileTestRows);
      REQUIRE((*tiles)->multiply(0, w, 0, w.panels(), kTileTestRows, got.data(), outputs + 1));
      check_values(type, w, x, got, outputs + 1);
      if (!invariant) continue;
      for (const std::size_t r : {0, 63, 64, 129}) {
        (*tiles)->convert_rows(x.data() + r * width, 1, width, 0, 1);
        REQUIRE((*tiles)->multiply(0, w, 0, w.panels(), 1, alone.data(), outputs + 1));
        CHECK(std::memcmp(alone.data(), got.data() + r * (outputs + 1), outputs * sizeof(float)) == 0);
      }
    }
  }
}

/// 64 rows by 2,048 columns, by a team of `threads` threads while OpenMP would use `openmp`.
std::vector<float> tiles_by(int threads, int openmp) {
  constexpr std::size_t kCols = 2048, kRows = 64;
  const int before = omp_get_max_threads();
  omp_set_num_threads(openmp);
  const OwnedMatrix w = random_q8(64, kCols);
  const std::vector<float> x = cosines(kRows * kCols);
  std::vector<float> y(kRows * 64, NAN);
  bool done = true;
  auto tiles = TileProducts::create(TileType::kBF16, std::array{kCols}, kRows, threads,
                                    kernels(supported_isas().back()));
  REQUIRE(tiles.ok());
  (*tiles)->convert_rows(x.data(), kRows, kCols, 0, kRows);
  parallel(threads, [&](const Worker& worker) {
    if (worker.index > 0) return;
    done = (*tiles)->multiply(0, w, 0, w.panels(), kRows, y.data(), 64);
  });
  CHECK(omp_get_max_threads() == openmp);
  omp_set_num_threads(before);
  CHECK(done);
  return y;
}

}  // namespace

TEST_CASE("oneDNN's products match the definition") {
  // In float on any processor: the same code. Its float kernels treat the last rows of a tile differently, so
  // only values are compared; the engine uses only bf16, whose products treat all rows alike.
  check_tiles(TileType::kF32, false);
  if (can_run(Isa::kAmxEmulated)) check_tiles(TileType::kBF16, true);
}

TEST_CASE("oneDNN's products depend neither on the team nor on how many threads OpenMP would use") {
  if (!can_run(Isa::kAmxEmulated)) return;
  const std::vector<float> expected = tiles_by(1, 1);
  CHECK(tiles_by(1, 16) == expected);
  CHECK(tiles_by(2, 2) == expected);
  CHECK(tiles_by(2, 16) == expected);
}

TEST_CASE("the instruction set can be forced down, never up") {
  const auto with = [](const char* value) {
    const testing::ScopedVariable forced("PARTITA_ISA", value);
    return choose_isa();
  };
  for (const Isa isa : supported_isas()) CHECK(*with(std::string(name(isa)).c_str()) == isa);
  const Isa last = supported_isas().back(), fastest = *with("");
  CHECK((fastest == last || (last == Isa::kVnniWinograd && fastest == Isa::kVnni)));
#if defined(__aarch64__)
  const std::string names = "scalar, neon, neon-dot", foreign = "avx2";
#else
  const std::string names = "scalar, avx2, avx512, vnni, vnni-winograd, amx, amx-emulated", foreign = "neon";
  if (last != Isa::kAmx) CHECK(with("amx").error().code == ErrorCode::kUnsupported);
  if (can_run(Isa::kAmxEmulated)) {
    CHECK(*with("amx-emulated") == Isa::kAmxEmulated);
  } else {
    CHECK(with("amx-emulated").error().code == ErrorCode::kUnsupported);
  }
#endif
  CHECK(last != Isa::kAmxEmulated);
  CHECK(fastest != Isa::kAmxEmulated);
  for (const std::string& unknown : {std::string("sse9"), foreign}) {
    CHECK(with(unknown.c_str()).error().message ==
          "PARTITA_ISA is '" + unknown + "'; it must be one of " + names + ".");
  }
}

}  // namespace partita::internal::test
