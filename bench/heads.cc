// heads [VOCAB HIDDEN WIDTH WIDTH]: the savings of an adaptive softmax: the time of the logits of a token
// from a plain LM head, from all of an adaptive one, and from those of its clusters that a greedy token, a
// draw and a draw from the nucleus need. Weights are random; clusters are as likely as rare words are in text
// (a tenth of the mass each). One thread and two, medians of alternating runs.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/kernels.h"
#include "engine/output.h"
#include "sampling/heads/heads.h"
#include "weights/gguf/writer.h"

namespace {

using namespace partita;

using namespace partita::internal;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kStates = 64;
constexpr int kRounds = 5;
/// The share of all tokens that fall into a cluster: 1 - kShortlistMass, in equal parts.
constexpr double kClusterMass = 0.1;

std::vector<float> normal(std::mt19937& random, std::size_t n, float scale) {
  std::normal_distribution<float> draw(0, scale);
  std::vector<float> values(n);
  for (float& v : values) v = draw(random);
  return values;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A head read from a file in memory.
struct Head {
  std::vector<std::byte> bytes;
  PanelArena arena;
  OutputWeights weights;
  std::unique_ptr<OutputHead> head;
};

std::unique_ptr<Head> read(const GgufWriter& writer, std::size_t vocab, std::size_t hidden,
                           const Kernels& kernels) {
  auto head = std::make_unique<Head>();
  auto bytes = writer.bytes();
  if (!bytes) return nullptr;
  head->bytes = *std::move(bytes);
  const auto file = Gguf::parse(head->bytes, "head");
  if (!file) return nullptr;
  TensorLoader tensors(*file, head->arena, 2);
  if (!load_output(tensors, vocab, hidden, Embedding{}, head->weights)) return nullptr;
  head->head = make_head(head->weights, kernels);
  return head;
}

void add(GgufWriter& file, const std::string& name, std::size_t rows, std::size_t cols, float scale,
         std::mt19937& random) {
  const Dtype type = cols % block_elements(Dtype::kQ8_0) == 0 ? Dtype::kQ8_0 : Dtype::kF16;
  file.add_tensor(name, type, {rows, cols}, normal(random, rows * cols, scale));
}

GgufWriter dense_file(std::size_t vocab, std::size_t hidden) {
  std::mt19937 random(1);
  GgufWriter file;
  add(file, "output.weight", vocab, hidden, 3.0F / std::sqrt(static_cast<float>(hidden)), random);
  return file;
}

/// Cutoffs at 1/13 and 3/13 of the words.
GgufWriter adaptive_file(std::size_t vocab, std::size_t hidden, const std::size_t (&widths)[2]) {
  std::mt19937 random(2);
  const std::size_t ends[] = {vocab / 13, 3 * vocab / 13, vocab};
  GgufWriter file;
  file.add("partita.head.kind", "adaptive");
  file.add("partita.head.cutoffs", std::vector<std::uint32_t>{static_cast<std::uint32_t>(ends[0]),
                                                              static_cast<std::uint32_t>(ends[1])});
  const float scale = 3.0F / std::sqrt(static_cast<float>(hidden));
  add(file, "output.weight", ends[0] + 2, hidden, scale, random);
  // Logits are about normal with variance 9, so the total weight of n words is n exp(9 / 2).
  std::vector<float> bias(ends[0] + 2, 0);
  const double words = std::log(static_cast<double>(ends[0])) + 4.5;
  bias[ends[0]] = bias[ends[0] + 1] =
      static_cast<float>(words + std::log(kClusterMass / (1 - 2 * kClusterMass)) - 4.5);
  file.add_tensor("output.bias", Dtype::kF32, {bias.size()}, std::span<const float>(bias));
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t width = widths[i];
    const std::string name = "output." + std::to_string(i);
    add(file, name + ".proj.weight", width, hidden, 1 / std::sqrt(static_cast<float>(hidden)), random);
    add(file, name + ".weight", ends[i + 1] - ends[i], width, 3.0F / std::sqrt(static_cast<float>(width)),
        random);
  }
  return file;
}

/// Milliseconds and bytes of one token.
struct Cost {
  double ms = 0, bytes = 0;
};

Cost time_questions(const OutputHead& head, HeadScratch& scratch, const std::vector<float>& hidden,
                    const Chain& chain) {
  Cost cost;
  const auto start = Clock::now();
  for (std::size_t i = 0; i < kStates; ++i) {
    Question question;
    question.hidden = hidden.data() + i * head.hidden_size();
    question.chain = &chain;
    question.key = {1, 2, i};
    Result<Answer> answer = Answer{};
    head.answer({&question, 1}, scratch, {&answer, 1});
    if (!answer) std::exit(1);
    cost.bytes += static_cast<double>(answer->head_bytes) / kStates;
  }
  cost.ms = std::chrono::duration<double>(Clock::now() - start).count() * 1e3 / kStates;
  return cost;
}

Cost time_rows(const OutputHead& head, HeadScratch& scratch, const std::vector<float>& hidden,
               std::size_t bytes) {
  std::vector<float> logits(head.vocab_size());
  const auto start = Clock::now();
  for (std::size_t i = 0; i < kStates; ++i) {
    head.logits(hidden.data() + i * head.hidden_size(), 1, nullptr, scratch, logits.data());
  }
  return {std::chrono::duration<double>(Clock::now() - start).count() * 1e3 / kStates,
          static_cast<double>(bytes)};
}

void measure(const Head& dense, const Head& adaptive, const std::vector<float>& hidden, int threads) {
  struct Line {
    const char* name;
    std::function<Cost()> run;
    std::vector<double> ms;
    double bytes = 0;
  };
  const auto plain = dense.head->make_scratch(1, threads), parts = adaptive.head->make_scratch(1, threads);
  const auto chain = [](const SamplingOptions& options) { return *Chain::create(options); };
  const Chain greedy = chain({{"temperature", 0}}), drawn = chain({}), cool = chain({{"temperature", 0.8F}}),
              nucleus = chain({{"temperature", 0.8F}, {"top_p", 0.95F}});
  const auto ask = [&](const Chain& c) {
    return [&] { return time_questions(*adaptive.head, *parts, hidden, c); };
  };
  std::vector<Line> lines = {
      {"plain, all logits",
       [&] { return time_rows(*dense.head, *plain, hidden, dense.weights.bytes()); },
       {}},
      {"plain, a draw at T 1", [&] { return time_questions(*dense.head, *plain, hidden, drawn); }, {}},
      {"adaptive, all logits",
       [&] { return time_rows(*adaptive.head, *parts, hidden, adaptive.weights.bytes()); },
       {}},
      {"adaptive, greedy", ask(greedy), {}},
      {"adaptive, a draw at T 1", ask(drawn), {}},
      {"adaptive, a draw at T 0.8", ask(cool), {}},
      {"adaptive, top-p 0.95, T 0.8", ask(nucleus), {}}};
  for (int round = 0; round < kRounds; ++round) {
    for (Line& line : lines) {
      const Cost cost = line.run();
      line.ms.push_back(cost.ms);
      line.bytes = cost.bytes;
    }
  }
  std::printf("%d thread%s, milliseconds a token:\n", threads, threads == 1 ? "" : "s");
  const double whole = median(lines[0].ms);
  for (const Line& line : lines) {
    std::printf("  %-28s %8.3f  1/%-5.1f %8.2f MB\n", line.name, median(line.ms), whole / median(line.ms),
                line.bytes * 1e-6);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::size_t vocab = count > 2 ? std::strtoul(arguments[1], nullptr, 10) : 262144;
  const std::size_t hidden = count > 2 ? std::strtoul(arguments[2], nullptr, 10) : 640;
  // PyTorch's div_value 5 would make them 128 and 25; Q8_0 needs whole blocks of 32 columns.
  std::size_t widths[2] = {128, 32};
  for (int i = 0; i < 2 && count > 3 + i; ++i) widths[i] = std::strtoul(arguments[3 + i], nullptr, 10);
  const auto isa = choose_isa();
  if (!isa || vocab < 1000 || hidden < 64 || widths[0] == 0 || widths[1] == 0) return 2;
  const Kernels& table = kernels(*isa);
  const auto dense = read(dense_file(vocab, hidden), vocab, hidden, table);
  const auto adaptive = read(adaptive_file(vocab, hidden, widths), vocab, hidden, table);
  if (dense == nullptr || adaptive == nullptr) return 1;
  std::mt19937 random(3);
  const std::vector<float> states = normal(random, kStates * hidden, 1);
  std::printf("%zu x %zu, clusters %zu and %zu wide, %s\n", vocab, hidden, widths[0], widths[1],
              std::string(name(*isa)).c_str());
  for (const int threads : {1, 2}) measure(*dense, *adaptive, states, threads);
  return 0;
}
