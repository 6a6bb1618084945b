// Every table of kernels that this processor can run, against the scalar definition; oneDNN's products
// likewise.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "engine/kernels/tile_products.h"
#include "tests/catch.h"
#include "tests/engine/kernel_checks.h"
#include "tests/packed.h"

namespace partita::test {
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
TEST_CASE("what a screen is asked has the bits of the definition on every instruction set") {
  on_every_isa(check_turn);
}
TEST_CASE("elementwise kernels match the definition on every instruction set") {
  on_every_isa(check_elementwise);
}
TEST_CASE("attention matches the definition on every instruction set") { on_every_isa(check_attention); }
TEST_CASE("spans are merged as defined on every instruction set, NaN included") {
  on_every_isa(check_merge);
  check_merge(exact_kernels());
}

TEST_CASE("all vector instruction sets give the same bits, on every architecture") {
  on_every_isa([](const Kernels& table) {
    if (table.isa != Isa::kScalar) check_recorded_bits(table);
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

/// Products of 130 rows of 96 columns, whole and row by row, in the given type.
void check_tiles(TileType type, double tolerance, bool invariant) {
  const std::size_t cols[] = {96, 64};
  Result<std::unique_ptr<TileProducts>> tiles =
      TileProducts::create(type, cols, 130, 1, kernels(supported_isas().back()));
  REQUIRE(tiles.ok());
  for (const std::size_t outputs : {1, 64, 100}) {
    const OwnedMatrix w = random_q8(outputs, 96);
    std::vector<float> x(130 * 96);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(std::cos(static_cast<double>(i)));
    AlignedBytes scratch(matmul_scratch_bytes(96));
    std::vector<float> expected(130 * outputs), got(130 * (outputs + 1), NAN), alone(outputs + 1);
    const Activations a{.rows = 130, .cols = 96, .values = x.data()};
    exact_kernels().matmul(w, {0, w.panels()}, a, expected.data(), outputs, scratch.data());
    (*tiles)->take_rows(x.data(), 130, 96, 0, 70);
    (*tiles)->take_rows(x.data(), 130, 96, 70, 130);
    REQUIRE((*tiles)->multiply(0, w, 0, w.panels(), 130, got.data(), outputs + 1));
    for (std::size_t r = 0; r < 130; ++r) {
      for (std::size_t c = 0; c < outputs; ++c) {
        REQUIRE(std::abs(got[r * (outputs + 1) + c] - expected[r * outputs + c]) < tolerance);
      }
      REQUIRE(std::isnan(got[r * (outputs + 1) + outputs]));
    }
    if (!invariant) continue;
    for (const std::size_t r : {0, 63, 64, 129}) {
      (*tiles)->take_rows(x.data() + r * 96, 1, 96, 0, 1);
      REQUIRE((*tiles)->multiply(0, w, 0, w.panels(), 1, alone.data(), outputs + 1));
      CHECK(std::memcmp(alone.data(), got.data() + r * (outputs + 1), outputs * sizeof(float)) == 0);
    }
  }
}

}  // namespace

TEST_CASE("oneDNN's products match the definition") {
  // In float on any processor: the same code. Its float kernels treat the last rows of a block differently,
  // so only values are compared; the engine uses bf16 alone, whose tiles treat all rows alike.
  check_tiles(TileType::kF32, 2e-5, false);
  if (supported_isas().back() == Isa::kAmx) check_tiles(TileType::kBF16, 0.3, true);
}

TEST_CASE("the instruction set can be forced down, never up") {
  const auto with = [](const char* value) {
    setenv("PARTITA_ISA", value, 1);
    Result<Isa> isa = choose_isa();
    unsetenv("PARTITA_ISA");
    return isa;
  };
  for (const Isa isa : supported_isas()) CHECK(*with(std::string(name(isa)).c_str()) == isa);
  const Isa last = supported_isas().back(), fastest = *with("");
  CHECK((fastest == last || (last == Isa::kVnniWinograd && fastest == Isa::kVnni)));
#if defined(__aarch64__)
  const std::string names = "scalar, neon, neon-dot", foreign = "avx2";
#else
  const std::string names = "scalar, avx2, avx512, vnni, vnni-winograd, amx", foreign = "neon";
  if (supported_isas().back() != Isa::kAmx) CHECK(with("amx").error().code == ErrorCode::kUnsupported);
#endif
  for (const std::string& unknown : {std::string("sse9"), foreign}) {
    CHECK(with(unknown.c_str()).error().message ==
          "PARTITA_ISA is '" + unknown + "'; it must be one of " + names + ".");
  }
}

}  // namespace partita::test
