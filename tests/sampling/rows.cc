#include "rows.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

namespace partita::test {

std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

std::vector<float> row(std::string_view kind, std::uint64_t seed, std::size_t vocab) {
  std::vector<float> logits(vocab);
  for (std::size_t i = 0; i < vocab; ++i) {
    const std::uint64_t bits = splitmix64((seed << 32) + i);
    std::int64_t bell = -131070;
    for (int word = 0; word < 4; ++word) bell += static_cast<std::int64_t>((bits >> (16 * word)) & 0xFFFF);
    double x = static_cast<double>(bell) / 16384;
    if (kind == "peaked" && bits % 997 == 0) x += 8;
    if (kind == "ties") x = std::floor(x * 2) / 2;
    if (kind == "equal") x = 1.25;
    if (kind == "masked" && bits % 8 == 0) x = -std::numeric_limits<double>::infinity();
    logits[i] = static_cast<float>(x);
  }
  return logits;
}

std::vector<std::int32_t> history(std::uint64_t seed, std::size_t vocab) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < 3 + vocab / 100; ++i) {
    ids.push_back(static_cast<std::int32_t>(splitmix64((seed << 32) + i) % vocab));
  }
  ids.push_back(ids.front());
  ids.push_back(static_cast<std::int32_t>(vocab) + 3);
  return ids;
}

std::vector<NamedKernels> all_kernels() {
  std::vector<NamedKernels> all = {{"exact", &exact_kernels()}};
  for (const Isa isa : supported_isas()) all.push_back({std::string(name(isa)), &kernels(isa)});
  return all;
}

std::string read_data(const std::string& path) {
  std::ifstream file(std::string(PARTITA_TEST_DATA) + "/" + path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace partita::test
