// The exponential of every table against double precision, in ulp. `exp_test` tests a sample of all floats
// and a few whole ranges; `exp_test "[exhaustive]"` tests every float, which takes some minutes.
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/kernels.h"
#include "tests/catch.h"

namespace partita::internal {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr double kLeastNormal = std::numeric_limits<float>::min();

/// The bounds that docs/softmax.md states.
double bound_in_ulp(const Kernels* kernels) { return kernels == &exact_kernels() ? 0.5001 : 1.18; }

/// The distance between the floats next to x, for a normal float: 2^(exponent - 23).
double ulp(double x) {
  constexpr std::uint64_t kExponent = 0x7FF0000000000000;
  return std::bit_cast<double>((std::bit_cast<std::uint64_t>(x) & kExponent) - (std::uint64_t{23} << 52));
}

/// The errors of one table over the tested floats.
struct Errors {
  const Kernels* kernels = nullptr;
  double most = 0;  // in ulp, where e^x is a normal float
  float at = 0;
  double most_below = 0;      // |error| where e^x is less than that
  std::size_t misplaced = 0;  // not in [0, 1] for x <= 0, or less than 1 for x >= 0

  void see(const float* x, const double* expected, std::size_t n) {
    std::array<float, 4096> y;
    kernels->exp_sum(x, n, 0, 1, y.data());
    for (std::size_t i = 0; i < n; ++i) {
      const auto value = static_cast<double>(y[i]);
      const double error = std::abs(value - expected[i]);
      misplaced += x[i] > 0 ? !(value >= 1) : !(value >= 0 && value <= 1);
      if (expected[i] < kLeastNormal) {
        most_below = error > most_below ? error : most_below;
      } else if (!(error <= most * ulp(expected[i]))) {
        most = error / ulp(expected[i]);
        at = x[i];
      }
    }
  }
};

/// Every `stride`-th float of bits [first, last), to all tables.
void visit(std::uint32_t first, std::uint32_t last, std::uint32_t stride, std::vector<Errors>& tables) {
  std::array<float, 4096> x;
  std::array<double, 4096> expected;
  for (std::uint64_t bits = first; bits < last;) {
    std::size_t n = 0;
    for (; n < x.size() && bits < last; bits += stride, ++n) {
      x[n] = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
      expected[n] = std::exp(static_cast<double>(x[n]));
    }
    for (Errors& table : tables) table.see(x.data(), expected.data(), n);
  }
}

std::vector<Errors> all_tables() {
  std::vector<Errors> tables;
  for (const Isa isa : supported_isas()) tables.push_back({.kernels = &kernels(isa)});
  tables.push_back({.kernels = &exact_kernels()});
  return tables;
}

/// The floats below log(2^127.5); from there on the vector tables return infinity.
const std::uint32_t kEnd = std::bit_cast<std::uint32_t>(88.3762626647949F);
constexpr std::uint32_t kNegative = 0x80000000;

/// x >= 0 to the end, and x <= 0 to -inf.
void visit_all(std::uint32_t stride, std::vector<Errors>& tables) {
  visit(0, kEnd, stride, tables);
  visit(kNegative, std::bit_cast<std::uint32_t>(-kInf) + 1, stride, tables);
}

void check(const std::vector<Errors>& tables) {
  for (const Errors& table : tables) {
    const bool exact = table.kernels == &exact_kernels();
    const std::string table_name = exact ? "exact" : std::string(name(table.kernels->isa));
    std::printf("%-14s at most %.6f ulp, at %a (%.9g); where e^x < 2^-126, off by %.3g at most\n",
                table_name.c_str(), table.most, static_cast<double>(table.at), static_cast<double>(table.at),
                table.most_below);
    CAPTURE(table_name, table.most, table.at);
    CHECK(table.most <= bound_in_ulp(table.kernels));
    CHECK(table.most_below < kLeastNormal);  // flushed to 0 at worst
    CHECK(table.misplaced == 0);
  }
}

TEST_CASE("A sample of all floats: the exponential is within the stated bound") {
  std::vector<Errors> tables = all_tables();
  visit_all(251, tables);
  // Whole ranges: around 0 and the first change of exponent, the end of the normal floats, the bounds of x.
  const auto whole = [&](float from, float to) {
    visit(std::bit_cast<std::uint32_t>(from), std::bit_cast<std::uint32_t>(to), 1, tables);
  };
  whole(-0.34F, -0.36F);
  whole(-87.3F, -88.6F);
  whole(-103.9F, -104.0F);
  whole(88.37F, std::bit_cast<float>(kEnd));
  check(tables);
}

TEST_CASE("Every float: the exponential is within the stated bound", "[.][exhaustive]") {
  std::vector<Errors> tables = all_tables();
  visit_all(1, tables);
  check(tables);
}

TEST_CASE("The exponential of NaN and infinity") {
  for (const Isa isa : supported_isas()) {
    const std::array<float, 6> x = {-kInf, -0.0F, 0.0F, kNan, 89, kInf};
    std::array<float, 6> y;
    kernels(isa).exp_sum(x.data(), x.size(), 0, 1, y.data());
    CHECK(y[0] == 0);
    CHECK(y[1] == 1);
    CHECK(y[2] == 1);
    CHECK(std::isnan(y[3]));
    CHECK(y[4] == kInf);
    CHECK(y[5] == kInf);
  }
}

}  // namespace
}  // namespace partita::internal
