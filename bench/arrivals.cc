// How long running answers wait for their next token when a long prompt comes among them.
//
//   arrivals MODEL.gguf [PROMPT_TOKENS [ANSWERS [THREADS]]]
//
// ANSWERS requests run until each has some tokens; then the long one comes. Printed: the usual gap between
// two steps before that, and the gaps while it is read, with the default BatchOptions::most_delay and with
// none.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <partita/partita.hpp>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kStepsBefore = 60;  // after the prompts of the answers are read

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

double percentile(std::vector<double> v, double p) {
  std::sort(v.begin(), v.end());
  return v[std::min(v.size() - 1, static_cast<std::size_t>(p * static_cast<double>(v.size())))];
}

template <class T>
T must(partita::Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "arrivals: %s\n", result.error().message.c_str());
  std::exit(1);
}

/// A request of made-up ids that runs for `tokens` tokens whatever it says.
partita::Request request_of(const partita::Model& model, std::size_t length, int tokens, unsigned seed) {
  partita::Request request;
  for (std::size_t i = 0; i < length; ++i) {
    seed = seed * 1664525 + 1013904223;
    request.ids.push_back(static_cast<partita::TokenId>(1000 + seed / 65536 % 20000));
  }
  request.max_tokens = tokens;
  request.speculation = partita::Speculation::kNever;
  std::vector<std::pair<partita::TokenId, float>> never;
  for (const partita::TokenId id : model.end_ids())
    never.emplace_back(id, -std::numeric_limits<float>::infinity());
  if (auto set = request.sampling.set("logit_bias", never); !set) std::exit(1);
  return request;
}

void measure(const partita::Model& model, std::size_t prompt, std::size_t answers, double most_delay) {
  partita::BatchOptions options;
  options.max_sequences = answers + 1;
  options.most_delay = most_delay;
  partita::Batch batch = must(model.batch(options));
  for (std::size_t i = 0; i < answers; ++i) {
    must(batch.add(request_of(model, 100, 7000, static_cast<unsigned>(i + 1))));
  }
  std::vector<partita::Batch::Event> events;
  const auto step = [&] {
    events.clear();
    const auto start = std::chrono::steady_clock::now();
    if (auto done = batch.advance(events); !done) {
      std::fprintf(stderr, "arrivals: %s\n", done.error().message.c_str());
      std::exit(1);
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() * 1e3;
  };
  while (step(), events.size() < answers) {
  }
  std::vector<double> before, during;
  for (std::size_t i = 0; i < kStepsBefore; ++i) before.push_back(step());
  const auto ticket = must(batch.add(request_of(model, prompt, 1, 99)));
  const auto start = std::chrono::steady_clock::now();
  for (bool read = false; !read;) {
    during.push_back(step());
    for (const auto& event : events) read = read || event.ticket == ticket;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double usual = median(before);
  std::printf(
      "most_delay %-4g usual gap %.2f ms (95 %%: %.2f, largest %.2f); while %zu tokens are read, in %zu "
      "steps and %.1f s: ",
      most_delay, usual, percentile(before, 0.95), percentile(before, 1), prompt, during.size(), seconds);
  std::printf("median %.2f ms (x %.2f), 95 %% %.2f (x %.2f), largest %.2f (x %.2f)\n", median(during),
              median(during) / usual, percentile(during, 0.95), percentile(during, 0.95) / usual,
              percentile(during, 1), percentile(during, 1) / usual);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: arrivals MODEL.gguf [PROMPT_TOKENS [ANSWERS [THREADS]]]\n");
    return 2;
  }
  const std::size_t prompt = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 8000;
  const std::size_t answers = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 8;
  partita::OpenOptions options;
  options.threads = argc > 4 ? std::atoi(argv[4]) : 0;
  const partita::Model model = must(partita::Model::open(argv[1], options));
  measure(model, prompt, answers, partita::BatchOptions().most_delay);
  measure(model, prompt, answers, std::numeric_limits<double>::infinity());
  return 0;
}
