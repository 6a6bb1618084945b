// llama_samplers IN VOCAB: microseconds that the sampler chains of llama.cpp take for each row of a dump, as
// JSON. Built and run by samplers.py. The timed part is that of llama_sampler_sample: fill the array of
// candidates from the logits, apply the chain.
#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kDraws = 5;

struct Timed {
  const char* name;
  llama_sampler* chain;
};

llama_sampler* make_chain(bool top_k, bool top_p) {
  llama_sampler* chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
  if (top_k) llama_sampler_chain_add(chain, llama_sampler_init_top_k(40));
  if (top_p) llama_sampler_chain_add(chain, llama_sampler_init_top_p(0.95F, 1));
  if (top_k) llama_sampler_chain_add(chain, llama_sampler_init_min_p(0.05F, 1));
  llama_sampler_chain_add(chain, llama_sampler_init_temp(0.8F));
  llama_sampler_chain_add(chain, llama_sampler_init_dist(7));
  return chain;
}

double median_us(llama_sampler* chain, const std::vector<float>& from, std::vector<float>& logits,
                 std::vector<llama_token_data>& candidates) {
  std::vector<double> times;
  for (int d = 0; d < kDraws; ++d) {
    std::copy(from.begin(), from.end(), logits.begin());
    const Clock::time_point start = Clock::now();
    for (std::size_t i = 0; i < logits.size(); ++i) {
      candidates[i] = llama_token_data{static_cast<llama_token>(i), logits[i], 0.0F};
    }
    llama_token_data_array array = {candidates.data(), candidates.size(), -1, false};
    llama_sampler_apply(chain, &array);
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    if (array.selected < 0) std::exit(1);
  }
  std::nth_element(times.begin(), times.begin() + kDraws / 2, times.end());
  return times[kDraws / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::size_t vocab = std::strtoul(argv[2], nullptr, 10);
  std::ifstream file(argv[1], std::ios::binary);
  std::vector<float> logits(vocab), hot(vocab);
  std::vector<llama_token_data> candidates(vocab);
  const Timed chains[] = {
      {"top_k 40, top_p 0.95, min_p 0.05, temperature 0.8", make_chain(true, true)},
      {"top_p 0.95, temperature 0.8", make_chain(false, true)},
      {"temperature 0.8", make_chain(false, false)},
  };
  std::vector<std::vector<double>> times(std::size(chains));
  while (file.read(reinterpret_cast<char*>(logits.data()),
                   static_cast<std::streamsize>(vocab * sizeof(float)))) {
    for (std::size_t c = 0; c < std::size(chains); ++c) {
      times[c].push_back(median_us(chains[c].chain, logits, hot, candidates));
    }
  }
  std::printf("{");
  for (std::size_t c = 0; c < std::size(chains); ++c) {
    std::printf("%s\"%s\": [", c == 0 ? "" : ", ", chains[c].name);
    for (std::size_t i = 0; i < times[c].size(); ++i) std::printf("%s%.2f", i == 0 ? "" : ", ", times[c][i]);
    std::printf("]");
    llama_sampler_free(chains[c].chain);
  }
  std::printf("}\n");
}
