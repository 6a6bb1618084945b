#include "rows.h"
#include "engine/kernels/dispatch.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sstream>

namespace partita::internal::test {

std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

double uniform_at(std::uint64_t i) { return static_cast<double>(splitmix64(i) >> 11) * 0x1p-53; }
float normal_at(std::uint64_t i) {
  return static_cast<float>(std::sqrt(-2 * std::log(1 - uniform_at(2 * i))) *
                            std::cos(2 * M_PI * uniform_at(2 * i + 1)));
}

std::vector<float> row(std::string_view kind, std::uint64_t seed, std::size_t vocab) {
  std::vector<float> logits(vocab);
  const bool peaked = kind == "peaked", ties = kind == "ties", equal = kind == "equal",
             masked = kind == "masked";
  for (std::size_t i = 0; i < vocab; ++i) {
    const std::uint64_t bits = splitmix64((seed << 32) + i);
    std::int64_t bell = -131070;
    for (int word = 0; word < 4; ++word) bell += static_cast<std::int64_t>((bits >> (16 * word)) & 0xFFFF);
    double x = static_cast<double>(bell) / 16384;
    if (peaked && bits % 997 == 0) x += 8;
    if (ties) x = std::floor(x * 2) / 2;
    if (equal) x = 1.25;
    if (masked && bits % 8 == 0) x = -std::numeric_limits<double>::infinity();
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

namespace {

/// Number i of a stream of `seed`, other than those of row() and history().
std::uint64_t word(std::uint64_t seed, std::uint64_t i) { return splitmix64((seed << 32) + 0x80000000 + i); }

}  // namespace

RepeatingHistory repeating_history(std::uint64_t seed, std::size_t vocab) {
  const std::uint64_t first = word(seed, 0);
  std::vector<std::int32_t> few(3 + (first >> 8) % 6);
  for (std::size_t i = 0; i < few.size(); ++i)
    few[i] = static_cast<std::int32_t>(word(seed, 1000 + i) % vocab);
  if (seed % 5 == 0) few[0] = static_cast<std::int32_t>(vocab) + 3;
  RepeatingHistory result;
  std::size_t copied = 0;
  for (std::size_t i = 0; i < 24 + first % 104; ++i) {
    const std::uint64_t bits = word(seed, 1 + i);
    if (i < 4 || bits % 8 == 0) {
      result.ids.push_back(few[(bits >> 8) % few.size()]);
      continue;
    }
    if (bits % 8 == 1) copied = (bits >> 8) % i;
    result.ids.push_back(result.ids[copied++]);
  }
  result.prompt_size = (first >> 20) % (result.ids.size() + 1);
  return result;
}

std::string token_text(std::int32_t id) {
  constexpr std::string_view kLetters = "ab c\n:\xc3\xa9";
  const std::uint64_t bits = splitmix64(static_cast<std::uint64_t>(id));
  std::string text;
  if (bits % 16 == 5) return text;
  for (std::uint64_t i = 0; i < 1 + (bits >> 4) % 4; ++i) text += kLetters[(bits >> (8 + 4 * i)) & 7];
  return text;
}

SyntheticVocabulary::SyntheticVocabulary(std::size_t size) : ends_{2, static_cast<std::int32_t>(size) - 1} {
  for (std::size_t i = 0; i < size; ++i) texts_.push_back(token_text(static_cast<std::int32_t>(i)));
}

std::string hash_of(const std::vector<std::int32_t>& ids) {
  std::uint64_t value = 0xCBF29CE484222325;
  for (const std::int32_t id : ids) {
    for (int byte = 0; byte < 4; ++byte) {
      value = (value ^ ((static_cast<std::uint32_t>(id) >> (8 * byte)) & 0xFF)) * 0x100000001B3;
    }
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::vector<std::int32_t> support_of(const std::vector<float>& probabilities) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] > 0) ids.push_back(static_cast<std::int32_t>(i));
  }
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

}  // namespace partita::internal::test
