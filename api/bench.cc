// bench(): prefill and decode rates, and the memory bandwidth that bounds decode.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "api/clock.h"
#include "api/loaded_model.h"
#include "api/serving/scheduler.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/sum_words.h"
#include "engine/step.h"
#include "partita/partita.hpp"
#include "sampling/chain/chain.h"
#include "sampling/heads/heads.h"
#include "sampling/softmax/divergence.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMinArea = std::size_t{64} << 20;  // beyond most caches
constexpr std::size_t kPageWords = 4096 / sizeof(std::uint64_t);
constexpr int kReadPasses = 9;

/// The median over passes of what all threads read together, in 1e9 bytes per second.
double measure_read(std::size_t bytes, int threads) {
  const std::size_t words = std::max(bytes, kMinArea) / sizeof(std::uint64_t);
  const std::unique_ptr<std::uint64_t[]> area(new std::uint64_t[words]);
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads));
  std::vector<double> rates;
  parallel(threads, [&](const Worker& worker) {  // first touch where it will be read
    const auto [begin, end] = worker.share(words, kPageWords);
    std::memset(area.get() + begin, 1, (end - begin) * sizeof(std::uint64_t));
  });
  for (int pass = 0; pass < kReadPasses; ++pass) {
    const auto start = Clock::now();
    parallel(threads, [&](const Worker& worker) {
      const auto [begin, end] = worker.share(words, kPageWords);
      sums[static_cast<std::size_t>(worker.index)] += sum_words(area.get() + begin, end - begin);
    });
    rates.push_back(static_cast<double>(words * sizeof(std::uint64_t)) / seconds_since(start) * 1e-9);
  }
  // The sums must be used, or the reads could be left out.
  const bool read_something = std::any_of(sums.begin(), sums.end(), [](std::uint64_t s) { return s != 0; });
  std::nth_element(rates.begin(), rates.begin() + kReadPasses / 2, rates.end());
  return read_something ? rates[kReadPasses / 2] : 0;
}

/// Sequences that run greedy prefill and decode together.
class Workload {
 public:
  Workload(const LoadedModel& model, std::size_t sequences, const CancelFlag* cancel)
      : model_(&model),
        cancel_(cancel),
        engine_(model.transformer, model.options.threads, kStepRows),
        pool_(model.transformer->states(), model.transformer->kv_type(), model.options.cache_bytes),
        scratch_(model.head_scratch(sequences)),
        hidden_(sequences * model.info.hidden_size),
        last_(sequences, 0) {
    for (std::size_t s = 0; s < sequences; ++s) {
      start_.emplace_back(pool_);
      caches_.emplace_back(pool_);
    }
  }

  /// Reads `tokens` made-up ids into every sequence and chooses one token after them; seconds taken.
  Result<double> prefill(std::size_t tokens) {
    const auto start = Clock::now();
    for (std::size_t s = 0; s < caches_.size(); ++s) {
      for (std::size_t at = 0; at < tokens; at += kStepRows) {
        const std::size_t count = std::min(kStepRows, tokens - at);
        ids_.resize(count);
        for (TokenId& id : ids_) id = made_up_id();
        const Chunk chunk{&caches_[s], ids_, Role::kPrompt,
                          at + count == tokens ? std::size_t{1} : std::size_t{0}};
        if (auto done = step({&chunk, 1}); !done) return done.error();
      }
      TRY(choose(s, 1));
    }
    return seconds_since(start);
  }

  /// `tokens` steps of one token for each sequence; seconds taken.
  Result<double> decode(std::size_t tokens) {
    const auto start = Clock::now();
    std::vector<Chunk> chunks(caches_.size());
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t s = 0; s < caches_.size(); ++s) {
        chunks[s] = {&caches_[s], std::span<const TokenId>(&last_[s], 1), Role::kGenerated, 1};
      }
      TRY(step(chunks));
      TRY(choose(0, caches_.size()));
    }
    return seconds_since(start);
  }

  /// Decodes `tokens` more tokens of the first sequence: the divergence of its distributions from the full
  /// head's.
  Result<void> compare(std::size_t tokens, BenchResult& result) {
    const auto full = make_head(model_->transformer->output(), model_->transformer->kernels());
    const auto scratch = full->make_scratch(1, model_->options.threads);
    if (scratch == nullptr) throw std::bad_alloc();
    std::vector<float> own(full->vocab_size()), whole(full->vocab_size());
    double kl = 0;
    std::size_t same = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      const Chunk chunk{&caches_[0], std::span<const TokenId>(&last_[0], 1), Role::kGenerated, 1};
      if (auto done = step({&chunk, 1}); !done) return done;
      model_->head->logits(hidden_.data(), 1, nullptr, *scratch_, own.data());
      full->logits(hidden_.data(), 1, nullptr, *scratch, whole.data());
      const auto apart = kl_divergence(whole, own, model_->transformer->kernels());
      if (!apart) return apart.error();
      kl += *apart;
      const auto best = [](const std::vector<float>& row) {
        return std::max_element(row.begin(), row.end()) - row.begin();
      };
      same += best(own) == best(whole) ? 1 : 0;
      last_[0] = static_cast<TokenId>(best(whole));
    }
    result.head_kl = kl / static_cast<double>(tokens);
    result.head_same_top = static_cast<double>(same) / static_cast<double>(tokens);
    return {};
  }

  /// The mean over all tokens that were chosen.
  double head_bytes() const { return chosen_ == 0 ? 0 : head_bytes_ / static_cast<double>(chosen_); }

  /// Later measurements start from the present contents of the caches.
  void mark_start() { start_.swap(caches_); }
  void go_to_start() {
    for (std::size_t s = 0; s < caches_.size(); ++s) caches_[s] = start_[s].fork();
  }

 private:
  TokenId made_up_id() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<TokenId>((state_ >> 33) % model_->info.vocab_size);
  }

  Result<void> step(std::span<const Chunk> chunks) {
    auto done = engine_.step(chunks, hidden_.data(), cancel_ != nullptr ? &cancel_->flag() : nullptr);
    if (!done || model_->options.attention_window == 0) return done;
    for (const Chunk& chunk : chunks) chunk.sequence->release_unseen();
    return {};
  }

  /// Chooses the next token of sequences [first, first + n) from the first n rows of hidden_.
  Result<void> choose(std::size_t first, std::size_t n) {
    SamplingOptions greedy;
    greedy.set("temperature", 0);
    auto chain = Chain::create(greedy);
    if (!chain) return chain.error();
    std::vector<Question> questions(n);
    std::vector<Result<Answer>> answers(n, Answer{});
    for (std::size_t i = 0; i < n; ++i) {
      questions[i].hidden = hidden_.data() + i * model_->info.hidden_size;
      questions[i].chain = &*chain;
    }
    model_->head->answer(questions, *scratch_, answers);
    for (std::size_t i = 0; i < n; ++i) {
      if (!answers[i]) return answers[i].error();
      last_[first + i] = answers[i]->choice.id;
      head_bytes_ += static_cast<double>(answers[i]->head_bytes);
      ++chosen_;
    }
    return {};
  }

  const LoadedModel* model_;
  const CancelFlag* cancel_;
  Engine engine_;
  KvPool pool_;
  std::vector<KvSequence> start_, caches_;  // [sequences]
  std::unique_ptr<HeadScratch> scratch_;
  std::vector<float> hidden_;  // [sequences][hidden_size]
  std::vector<TokenId> last_;  // [sequences]
  std::vector<TokenId> ids_;
  std::uint64_t state_ = 1;
  double head_bytes_ = 0;
  std::size_t chosen_ = 0;
};

Result<void> check(const LoadedModel& model, const BenchOptions& options) {
  TRY(model.check_weights());
  const std::size_t context = model.info.context_length;
  const std::size_t longest = std::max(options.prefill, options.decode + 1);
  if (options.depth > context || longest > context - options.depth) {
    return invalid("depth ", options.depth, " and ", longest,
                   " tokens after it are more than the model's context of ", context);
  }
  if (options.prefill == 0 && options.decode == 0) {
    return invalid("there is nothing to measure: prefill and decode are both 0");
  }
  if (options.sequences == 0 || options.sequences > kStepRows || options.repeat == 0) {
    return invalid("sequences is ", options.sequences, " (limits: 1 to ", kStepRows, ") and repeat ",
                   options.repeat, " (at least 1)");
  }
  return {};
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// One repetition: both measurements start from the same depth.
Result<void> measure(Workload& work, const BenchOptions& options, BenchResult* result) {
  const auto rate = [&](std::size_t tokens, double seconds) {
    return static_cast<double>(tokens * options.sequences) / seconds;
  };
  if (options.prefill > 0) {
    work.go_to_start();
    auto seconds = work.prefill(options.prefill);
    if (!seconds) return seconds.error();
    if (result != nullptr) result->prefill_tps.push_back(rate(options.prefill, *seconds));
  }
  if (options.decode > 0) {
    work.go_to_start();
    auto seconds = work.decode(options.decode);
    if (!seconds) return seconds.error();
    if (result != nullptr) result->decode_tps.push_back(rate(options.decode, *seconds));
  }
  return {};
}

}  // namespace

Result<BenchResult> bench(const Model& model, const BenchOptions& options, const CancelFlag* cancel) {
  return catch_all([&]() -> Result<BenchResult> {
    const LoadedModel& impl = model.impl();
    TRY(check(impl, options));
    BenchResult result;
    Workload work(impl, options.sequences, cancel);
    if (options.depth > 0) {
      TRY(work.prefill(options.depth));
    }
    work.mark_start();
    TRY(measure(work, options, nullptr));
    result.read_GBps = measure_read(impl.info.bytes_per_token, impl.options.threads);
    for (std::size_t r = 0; r < options.repeat; ++r) {
      TRY(measure(work, options, &result));
    }
    if (!result.decode_tps.empty()) {
      // One step reads the weights once for all its sequences.
      const double steps_per_second = median(result.decode_tps) / static_cast<double>(options.sequences);
      // For the head, the bytes that were read.
      const double bytes = static_cast<double>(impl.info.bytes_per_token) -
                           static_cast<double>(impl.head->bytes_per_row()) + work.head_bytes();
      result.decode_GBps = bytes * steps_per_second * 1e-9;
      result.bound_fraction = result.read_GBps > 0 ? result.decode_GBps / result.read_GBps : 0;
    }
    result.head_bytes = work.head_bytes();
    if (impl.options.head_budget > 0 && options.decode > 0) {
      work.go_to_start();
      TRY(work.compare(options.decode, result));
    }
    return result;
  });
}

}  // namespace partita
