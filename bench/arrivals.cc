// How long running answers wait for their next token when a long prompt arrives (continuous batching with
// chunked prefill).
//
//   arrivals MODEL.gguf [PROMPT_TOKENS [ANSWERS [THREADS]]]
//
// Two batches of ANSWERS requests of the same lengths run alternately, a step of one and a step of the other.
// When each answer has some tokens, the long prompt is added to the first batch. Printed are the gaps between
// steps of the first batch before that; during the prefill, the gaps of the second batch, which measure the
// usual gap at the same lengths and at the speed of the host at that moment; and the gaps of the first batch
// as multiples of it. With the default BatchOptions::most_delay and with none.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <partita/partita.hpp>
#include <string>
#include <type_traits>
#include <vector>

namespace {

constexpr std::size_t kStepsBefore = 60;  // after the prompts of the answers are processed

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
  if constexpr (std::is_void_v<T>) {
    if (result) return;
  } else {
    if (result) return std::move(*result);
  }
  std::fprintf(stderr, "arrivals: %s\n", result.error().message.c_str());
  std::exit(1);
}

/// A request of made-up ids that generates exactly `tokens` tokens.
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

/// Running answers and the times of their steps.
class Answers {
 public:
  Answers(const partita::Model& model, std::size_t answers, const partita::BatchOptions& options,
          unsigned seed)
      : batch_(must(model.batch(options))) {
    for (std::size_t i = 0; i < answers; ++i) {
      must(batch_.add(request_of(model, 100, 7000, seed + static_cast<unsigned>(i))));
    }
    while (step(), events_.size() < answers) {
    }
  }

  /// In milliseconds.
  double step() {
    events_.clear();
    const auto start = std::chrono::steady_clock::now();
    must(batch_.advance(events_));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() * 1e3;
  }

  void add(partita::Request request) { ticket_ = must(batch_.add(std::move(request))); }

  /// Whether the last request got a token in the last step.
  bool is_read() const {
    return std::any_of(events_.begin(), events_.end(), [&](const auto& e) { return e.ticket == ticket_; });
  }

 private:
  partita::Batch batch_;
  std::vector<partita::Batch::Event> events_;
  partita::Batch::Ticket ticket_ = 0;
};

void print(const char* what, const std::vector<double>& gaps, const char* unit) {
  std::printf("  %-22s median %.2f%s, 95 %% %.2f, largest %.2f\n", what, median(gaps), unit,
              percentile(gaps, 0.95), percentile(gaps, 1));
}

void measure(const partita::Model& model, std::size_t prompt, std::size_t answers, double most_delay) {
  partita::BatchOptions options;
  options.max_sequences = answers + 1;
  options.most_delay = most_delay;
  Answers disturbed(model, answers, options, 1), alone(model, answers, options, 1001);
  std::vector<double> before, usual, during;
  for (std::size_t i = 0; i < kStepsBefore; ++i) {
    before.push_back(disturbed.step());
    alone.step();
  }
  disturbed.add(request_of(model, prompt, 1, 99));
  double seconds = 0;
  do {
    during.push_back(disturbed.step());
    usual.push_back(alone.step());
    seconds += during.back() / 1e3;
  } while (!disturbed.is_read());
  std::printf("most_delay %g: %zu tokens are read in %zu steps and %.1f s\n", most_delay, prompt,
              during.size(), seconds);
  print("gaps before", before, " ms");
  print("meanwhile, without it", usual, " ms");
  print("while it is read", during, " ms");
  std::transform(during.begin(), during.end(), usual.begin(), usual.begin(), std::divides<>());
  print("the same, step by step", usual, " usual gaps");
  std::fflush(stdout);
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
