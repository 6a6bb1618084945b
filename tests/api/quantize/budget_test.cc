// Types chosen for a size or a divergence.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "api/quantize/type_budget.h"
#include "api/quantize/type_choice.h"
#include "partita/partita.hpp"
#include "partita/quantize.hpp"
#include "tests/catch.h"
#include "tests/must.h"
#include "weights/gguf/gguf.h"
#include "weights/sentence.h"

namespace partita::internal::testing {
namespace {

using Catch::Matchers::Contains;
using Choices = std::vector<std::vector<TypeChoice>>;

Choices random_choices(std::mt19937& random) {
  const auto below = [&](unsigned end) { return random() % end; };
  Choices all(4);
  for (auto& own : all) {
    for (unsigned i = 0; i < 1 + below(5); ++i)
      own.push_back({Dtype::kF16, 1 + below(40), 0.01 * below(100)});
  }
  return all;
}

/// The smallest cost of any choices of at most `bytes`; infinity if there are none.
double least_cost(const Choices& all, std::uint64_t bytes, std::size_t tensor = 0) {
  if (tensor == all.size()) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (const TypeChoice& choice : all[tensor]) {
    if (choice.bytes > bytes) continue;
    least = std::min(least, choice.cost + least_cost(all, bytes - choice.bytes, tensor + 1));
  }
  return least;
}

/// A file that is removed at the end.
struct NewFile {
  std::string path = (std::filesystem::temp_directory_path() / sentence("budget-", ::getpid())).string();
  ~NewFile() { std::filesystem::remove(path); }
};

std::string text() {
  std::ifstream in(PARTITA_TEST_DATA "/engine/mixed_text.txt");
  return {std::istreambuf_iterator<char>(in), {}};
}

QuantizeOptions measured() {
  QuantizeOptions options;
  options.text = text();
  options.allow_requantize = true;  // the bundled model is in Q8_0
  return options;
}

/// The divergence of a file from the bundled model on the chunks of `text()` that quantize() takes.
double divergence_of(const std::string& path) {
  const Model original = must(Model::open(std::string(kBundledModel))), changed = must(Model::open(path));
  Session one = must(original.session()), other = must(changed.session());
  const std::vector<TokenId> ids = must(original.tokenize(text(), false, false));
  constexpr std::size_t kSize = 256;
  const std::size_t chunks = ids.size() / kSize;
  double sum = 0;
  for (const std::size_t at : {std::size_t{0}, chunks / 2}) {
    const auto scored = must(other.score_against(std::span(ids).subspan(at * kSize, kSize), one));
    sum += scored.second.kl_mean;
  }
  return sum / 2;
}

std::uint64_t weight_bytes(const std::string& path) {
  const Gguf file = must(Gguf::open(path));
  std::uint64_t bytes = 0;
  for (const TensorView& tensor : file.tensors()) bytes += tensor.bytes.size();
  return bytes;
}

}  // namespace

TEST_CASE("the choices for a size are within one step of the best ones") {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    const Choices all = random_choices(random);
    double widest = 0;  // between two choices of a tensor
    for (const auto& own : all) {
      const auto [least, most] = std::minmax_element(
          own.begin(), own.end(), [](const TypeChoice& a, const TypeChoice& b) { return a.cost < b.cost; });
      widest = std::max(widest, most->cost - least->cost);
    }
    const TypeChooser chooser(all);
    for (std::uint64_t bytes = chooser.least_bytes(); bytes <= chooser.most_bytes() + 3; ++bytes) {
      const auto chosen = chooser.within(bytes);
      REQUIRE(chosen.size() == all.size());
      REQUIRE(bytes_of(chosen) <= bytes);
      REQUIRE(cost_of(chosen) <= least_cost(all, bytes) + widest + 1e-9);
    }
    CHECK(cost_of(chooser.within(chooser.most_bytes())) ==
          Approx(least_cost(all, chooser.most_bytes())).margin(1e-9));
    CHECK(least_cost(all, chooser.least_bytes() - 1) == std::numeric_limits<double>::infinity());
  }
}

TEST_CASE("a step is taken where a byte gains most") {
  const TypeChooser chooser({{{Dtype::kQ2_K, 10, 1.0}, {Dtype::kQ4_K, 20, 0.5}, {Dtype::kQ8_0, 40, 0.4}},
                             {{Dtype::kQ2_K, 10, 3.0}, {Dtype::kQ3_K, 15, 2.9}, {Dtype::kQ4_K, 20, 0.0}}});
  const auto types = [&](std::uint64_t bytes) {
    const auto chosen = chooser.within(bytes);
    return std::pair(chosen[0].dtype, chosen[1].dtype);
  };
  CHECK(types(20) == std::pair(Dtype::kQ2_K, Dtype::kQ2_K));
  CHECK(types(29) == std::pair(Dtype::kQ2_K, Dtype::kQ2_K));  // Q3_K is not worth its bytes
  CHECK(types(30) == std::pair(Dtype::kQ2_K, Dtype::kQ4_K));
  CHECK(types(40) == std::pair(Dtype::kQ4_K, Dtype::kQ4_K));
  CHECK(types(60) == std::pair(Dtype::kQ8_0, Dtype::kQ4_K));
}

TEST_CASE("budgets are bits per weight or sizes") {
  CHECK(must(parse_budget("4.5bpw")).bits == 4.5);
  CHECK(must(parse_budget("900MB")).bytes == 900'000'000);
  CHECK(must(parse_budget("1.5GiB")).bytes == 1'610'612'736);
  for (const std::string wrong : {"", "4.5", "bpw", "-1bpw", "0MB", "4.5 bpw", "9KB", "1e300GB", "nanMB"}) {
    CAPTURE(wrong);
    const auto budget = parse_budget(wrong);
    REQUIRE_FALSE(budget.ok());
    CHECK_THAT(budget.error().message, Contains("the budget is '" + wrong + "', and must be"));
  }
}

TEST_CASE("a model of a budget is nearer to its original than a mix of the same size", "[slow]") {
  const NewFile file;
  QuantizeOptions options = measured();
  options.type = "Q4_K_S";
  const auto mix = must(quantize(std::string(kBundledModel), file.path, options));
  const double by_mix = divergence_of(file.path);

  for (const char* part : {"blk.1.", "blk.2.", "blk.3.", "blk.4.", "blk.5.", "ffn"})
    options.tensor_types.emplace_back(part, "Q4_K");  // a choice among few tensors takes less time
  const std::uint64_t metadata = std::filesystem::file_size(file.path) - weight_bytes(file.path);
  options.budget = std::to_string(static_cast<double>(mix.bytes_out - metadata) / 1e6) + "MB";
  const auto chosen = must(quantize(std::string(kBundledModel), file.path, options));
  CHECK(chosen.bytes_out <= mix.bytes_out);
  CHECK(chosen.types.size() > 2);
  CHECK(chosen.measured_tokens == 512);
  const double by_budget = divergence_of(file.path);
  CHECK(chosen.divergence == by_budget);
  CHECK(by_budget < by_mix);

  options.budget.clear();
  options.max_divergence = by_mix;
  const auto near = must(quantize(std::string(kBundledModel), file.path, options));
  CHECK(near.divergence <= by_mix);
  CHECK(near.bytes_out < mix.bytes_out);
}

TEST_CASE("goals that cannot be kept are refused with the nearest one") {
  const NewFile file;
  const auto refused = [&](const QuantizeOptions& options) {
    const auto result = quantize(std::string(kBundledModel), file.path, options);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::kInvalidArgument);
    CHECK_FALSE(std::filesystem::exists(file.path));
    return result.error().message;
  };
  QuantizeOptions options = measured();
  options.budget = "1.5bpw";
  CHECK_THAT(refused(options), Contains("1.5 bits per weight, and the smallest types take 3."));
  options.max_divergence = 0.1;
  CHECK_THAT(refused(options), Contains("give one"));
  options.budget.clear();
  options.text = "Too short.";
  CHECK_THAT(refused(options), Contains("tokens, and a chunk 256"));
  options.text.clear();
  CHECK_THAT(refused(options), Contains("needs a text"));
}

}  // namespace partita::internal::testing
