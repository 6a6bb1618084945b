// samplers dump MODEL.gguf TEXT ROWS OUT: logits of the last ROWS positions of a text, [rows][vocab] floats.
// samplers time IN VOCAB: microseconds that each sampler chain takes to choose from each row, one thread, as
// JSON.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "partita/partita.hpp"
#include "sampling/chain/chain.h"

namespace {

using namespace partita;

using namespace partita::internal;
using Clock = std::chrono::steady_clock;

constexpr int kDraws = 5;  // per row; the median is used

int fail(const std::string& message) {
  std::fprintf(stderr, "samplers: %s\n", message.c_str());
  return 1;
}

int dump(const std::string& path, const std::string& text_path, std::size_t rows,
         const std::string& out_path) {
  std::ifstream file(text_path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  auto model = Model::open(path);
  if (!model) return fail(model.error().message);
  auto ids = model->tokenize(text.str());
  if (!ids) return fail(ids.error().message);
  ids->resize(std::min(ids->size(), rows + 32));
  if (ids->size() < rows) return fail("the text has only " + std::to_string(ids->size()) + " tokens");
  auto session = model->session();
  if (!session) return fail(session.error().message);
  auto logits = session->logits(*ids, rows);
  if (!logits) return fail(logits.error().message);
  std::ofstream out(out_path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(logits->data()),
            static_cast<std::streamsize>(logits->size() * sizeof(float)));
  return out.flush() ? 0 : fail("cannot write " + out_path);
}

struct Timed {
  const char* name;
  SamplingOptions options;
};

/// The median time of a chain for one row that was just written, as after an LM head.
double median_us(const Chain& chain, const float* from, std::vector<float>& logits, bool with_maxima,
                 Candidates& scratch, std::uint64_t position) {
  const Kernels& table = kernels(supported_isas().back());
  std::vector<float> maxima(tiles_of(logits.size()));
  std::vector<double> times;
  for (int d = 0; d < kDraws; ++d) {
    std::copy_n(from, logits.size(), logits.begin());
    for (std::size_t b = 0; b < maxima.size(); ++b) {
      const std::size_t first = b * kLogitTile;
      maxima[b] = table.max(logits.data() + first, std::min(kLogitTile, logits.size() - first));
    }
    const StageContext context{{}, 0, {7, static_cast<std::uint64_t>(d), position}, &table};
    const LogitRow row(logits, with_maxima ? std::span<const float>(maxima) : std::span<const float>());
    const Clock::time_point start = Clock::now();
    const Result<Choice> choice = chain.choose(row, context, nullptr, scratch);
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    if (!choice) std::exit(fail(choice.error().message));
  }
  std::nth_element(times.begin(), times.begin() + kDraws / 2, times.end());
  return times[kDraws / 2];
}

int time_chains(const std::string& path, std::size_t vocab) {
  std::ifstream file(path, std::ios::binary);
  std::vector<float> logits(vocab), hot(vocab);
  std::vector<Timed> chains = {
      {"top_k 40, top_p 0.95, min_p 0.05, temperature 0.8",
       {{"temperature", 0.8F}, {"top_k", 40}, {"top_p", 0.95F}, {"min_p", 0.05F}}},
      {"top_p 0.95, temperature 0.8", {{"temperature", 0.8F}, {"top_p", 0.95F}}},
      {"temperature 0.8", {{"temperature", 0.8F}}},
  };
  for (Timed& timed : chains) timed.options.samplers = {"top_k", "top_p", "min_p", "temperature"};
  std::vector<std::vector<double>> times(2 * chains.size());
  Candidates scratch;
  for (std::uint64_t position = 0;; ++position) {
    file.read(reinterpret_cast<char*>(logits.data()), static_cast<std::streamsize>(vocab * sizeof(float)));
    if (!file) break;
    for (std::size_t c = 0; c < chains.size(); ++c) {
      const Result<Chain> chain = Chain::create(chains[c].options);
      if (!chain) return fail(chain.error().message);
      for (const bool with_maxima : {true, false}) {
        times[2 * c + (with_maxima ? 0 : 1)].push_back(
            median_us(*chain, logits.data(), hot, with_maxima, scratch, position));
      }
    }
  }
  std::printf("{");
  for (std::size_t t = 0; t < times.size(); ++t) {
    std::printf("%s\"%s%s\": [", t == 0 ? "" : ", ", chains[t / 2].name,
                t % 2 == 0 ? "" : "; without maxima");
    for (std::size_t i = 0; i < times[t].size(); ++i) std::printf("%s%.2f", i == 0 ? "" : ", ", times[t][i]);
    std::printf("]");
  }
  std::printf("}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 6 && std::strcmp(argv[1], "dump") == 0) {
    return dump(argv[2], argv[3], std::strtoul(argv[4], nullptr, 10), argv[5]);
  }
  if (argc == 4 && std::strcmp(argv[1], "time") == 0) {
    return time_chains(argv[2], std::strtoul(argv[3], nullptr, 10));
  }
  return fail("usage: samplers dump MODEL.gguf TEXT ROWS OUT | samplers time IN VOCAB");
}
