// The LM head of a mixture of softmaxes (Yang et al. 2018): each context is a hidden state of its own over
// the same words, and the distribution is the mean of their softmaxes, weighted by the prior. The matrix is
// read once for all contexts; the mean is computed in log space. A draw from the full mixture draws a context
// first, and then a word of its softmax.
#include <array>
#include <cmath>
#include <limits>

#include "sampling/heads/heads.h"
#include "sampling/heads/products.h"
#include "sampling/heads/row_answer.h"
#include "sampling/heads/row_head.h"
#include "sampling/heads/split_head.h"
#include "weights/catch_all.h"

namespace partita::internal {
namespace {

/// The number of contexts, of one row or several, whose logits are stored at a time.
constexpr std::size_t kMaxContexts = 64;

constexpr float kMasked = -std::numeric_limits<float>::infinity();

bool has(const AlignedBytes& bytes) { return bytes.data() != nullptr; }
float* floats(AlignedBytes& bytes) { return reinterpret_cast<float*>(bytes.data()); }

/// Contexts of rows and their logits.
class MixtureScratch : public SourceScratch, public HeadScratch {
 public:
  MixtureScratch(const OutputWeights& w, std::size_t most_rows, int threads)
      : contexts(w.prior.weight.rows),
        width(w.root.weight.cols),
        rows(most_rows),
        at_a_time(std::min(rows, std::max<std::size_t>(kMaxContexts / contexts, 1))),
        ld(whole_panels(w.vocab_size)),
        tiles(tiles_of(w.vocab_size)),
        prior(rows * contexts),
        latent(rows * contexts * width * sizeof(float)),
        logits(at_a_time * contexts * ld * sizeof(float)),
        maxima(at_a_time * contexts * tiles),
        sums(maxima.size()),
        shifts(at_a_time * contexts),
        products(std::max(rows, at_a_time * contexts), std::max(w.hidden_size, width), threads),
        team(threads),
        candidates(static_cast<std::size_t>(threads)),
        hidden(rows * w.hidden_size * sizeof(float)),
        drawn(at_a_time * width) {}

  bool ok() const { return has(latent) && has(logits) && has(hidden) && products.ok(); }

  const std::size_t contexts, width, rows, at_a_time, ld, tiles;
  std::vector<float> prior;    // [rows][contexts], log-probabilities
  AlignedBytes latent;         // [rows][contexts][width]
  AlignedBytes logits;         // [at_a_time][contexts][ld]
  std::vector<float> maxima;   // [at_a_time * contexts][tiles]
  std::vector<double> sums;    // the same
  std::vector<double> shifts;  // [at_a_time * contexts]: added to logits, gives log(prior * p)
  ProductScratch products;

  // Only for draws.
  Team team;
  std::vector<Candidates> candidates;  // one per thread
  AlignedBytes hidden;                 // [rows][hidden]
  std::vector<float> drawn;            // [at_a_time][width]: the drawn contexts
};

class MixtureSource : public LogitSource {
 public:
  MixtureSource(const OutputWeights& weights, const Kernels& kernels) : w_(weights), kernels_(kernels) {}

  std::size_t vocab_size() const override { return w_.vocab_size; }
  std::size_t hidden_size() const override { return w_.hidden_size; }
  std::size_t bytes() const override { return w_.bytes(); }

  std::unique_ptr<SourceScratch> make_scratch(std::size_t rows, int threads) const override {
    auto scratch = std::make_unique<MixtureScratch>(w_, rows, threads);
    if (!scratch->ok()) return nullptr;
    return scratch;
  }

  void rows(const Worker& worker, const float* hidden, std::size_t rows, SourceScratch& scratch,
            const RowOutput& out) const override;

  /// Prior and contexts of rows. hidden: [rows][hidden_size].
  void contexts(const Worker& worker, const float* hidden, std::size_t rows, MixtureScratch& scratch) const;
  /// Logits of `n` contexts and the maxima of their tiles.
  void words(const Worker& worker, const float* contexts, std::size_t n, MixtureScratch& scratch) const;

 private:
  void normalize(const Worker& worker, std::size_t row, std::size_t n, MixtureScratch& scratch) const;
  void mix(std::size_t row, std::size_t tile, MixtureScratch& scratch, std::span<float> out) const;

  const OutputWeights& w_;
  const Kernels& kernels_;
};

void MixtureSource::contexts(const Worker& worker, const float* hidden, std::size_t rows,
                             MixtureScratch& scratch) const {
  const std::size_t size = scratch.contexts * scratch.width;
  const Activations x = scratch.products.view(hidden, rows, w_.hidden_size);
  multiply(worker, w_.prior, x, kernels_, scratch.products, {scratch.prior.data(), scratch.contexts});
  multiply(worker, w_.latent, x, kernels_, scratch.products, {floats(scratch.latent), size});
  const auto [first, last] = worker.share(rows);
  for (std::size_t r = first; r < last; ++r) {
    float* const prior = scratch.prior.data() + r * scratch.contexts;
    const float most = kernels_.max(prior, scratch.contexts);
    double sum = 0;
    for (std::size_t k = 0; k < scratch.contexts; ++k) sum += std::exp(static_cast<double>(prior[k] - most));
    for (std::size_t k = 0; k < scratch.contexts; ++k) {
      prior[k] = static_cast<float>(static_cast<double>(prior[k] - most) - std::log(sum));
    }
    float* const latent = floats(scratch.latent) + r * size;
    for (std::size_t i = 0; i < size; ++i) latent[i] = std::tanh(latent[i]);
  }
  worker.wait();
}

void MixtureSource::words(const Worker& worker, const float* contexts, std::size_t n,
                          MixtureScratch& scratch) const {
  const Activations x = scratch.products.view(contexts, n, scratch.width);
  multiply(worker, w_.root, x, kernels_, scratch.products,
           {floats(scratch.logits), scratch.ld, scratch.maxima.data(), scratch.tiles});
}

/// Computes scratch.shifts for the n rows from `row` on.
void MixtureSource::normalize(const Worker& worker, std::size_t row, std::size_t n,
                              MixtureScratch& scratch) const {
  const std::size_t all = n * scratch.contexts;
  const auto most_of = [&](std::size_t c) {
    return kernels_.max(scratch.maxima.data() + c * scratch.tiles, scratch.tiles);
  };
  const auto [first, last] = worker.share(scratch.tiles);
  for (std::size_t c = 0; c < all; ++c) {
    const float most = most_of(c);
    for (std::size_t b = first; b < last; ++b) {
      const std::size_t id = b * kLogitTile, size = std::min(kLogitTile, w_.vocab_size - id);
      scratch.sums[c * scratch.tiles + b] =
          kernels_.exp_sum(floats(scratch.logits) + c * scratch.ld + id, size, most, 1, nullptr);
    }
  }
  worker.wait();
  const auto [mine, end] = worker.share(all);
  for (std::size_t c = mine; c < end; ++c) {
    double sum = 0;
    for (std::size_t b = 0; b < scratch.tiles; ++b) sum += scratch.sums[c * scratch.tiles + b];
    scratch.shifts[c] = static_cast<double>(scratch.prior[row * scratch.contexts + c]) -
                        static_cast<double>(most_of(c)) - std::log(sum);
  }
  worker.wait();
}

/// The mixture over the words of a tile. row: its index among the rows whose logits are stored.
void MixtureSource::mix(std::size_t row, std::size_t tile, MixtureScratch& scratch,
                        std::span<float> out) const {
  std::array<float, kLogitTile> most, sum, part;
  const std::size_t n = out.size();
  most.fill(kMasked);
  sum.fill(0);
  const auto part_of = [&](std::size_t k, std::size_t i) {
    const std::size_t c = row * scratch.contexts + k;
    const float logit = floats(scratch.logits)[c * scratch.ld + tile * kLogitTile + i];
    return static_cast<float>(static_cast<double>(logit) + scratch.shifts[c]);
  };
  for (std::size_t k = 0; k < scratch.contexts; ++k) {
    for (std::size_t i = 0; i < n; ++i) most[i] = std::max(most[i], part_of(k, i));
  }
  for (std::size_t i = 0; i < n; ++i) most[i] = std::isinf(most[i]) ? 0 : most[i];
  for (std::size_t k = 0; k < scratch.contexts; ++k) {
    for (std::size_t i = 0; i < n; ++i) part[i] = part_of(k, i) - most[i];
    kernels_.exp_sum(part.data(), n, 0, 1, part.data());
    for (std::size_t i = 0; i < n; ++i) sum[i] += part[i];
  }
  for (std::size_t i = 0; i < n; ++i) out[i] = most[i] + std::log(sum[i]);
}

void MixtureSource::rows(const Worker& worker, const float* hidden, std::size_t rows,
                         SourceScratch& source_scratch, const RowOutput& out) const {
  auto& scratch = static_cast<MixtureScratch&>(source_scratch);
  contexts(worker, hidden, rows, scratch);
  for (std::size_t row = 0; row < rows; row += scratch.at_a_time) {
    const std::size_t n = std::min(scratch.at_a_time, rows - row);
    words(worker, floats(scratch.latent) + row * scratch.contexts * scratch.width, n * scratch.contexts,
          scratch);
    normalize(worker, row, n, scratch);
    const auto [first, last] = worker.share(scratch.tiles);
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t b = first; b < last; ++b) {
        const std::size_t id = b * kLogitTile, size = std::min(kLogitTile, w_.vocab_size - id);
        const std::span<float> to(out.logits + (row + r) * out.ld + id, size);
        mix(r, b, scratch, to);
        if (out.maxima != nullptr) out.maxima[(row + r) * out.tiles + b] = kernels_.max(to.data(), size);
      }
    }
    worker.wait();
  }
}

class MixtureHead : public SplitHead {
 public:
  MixtureHead(const OutputWeights& weights, const Kernels& kernels)
      : SplitHead(make_row_head(std::make_unique<MixtureSource>(weights, kernels), kernels)),
        w_(weights),
        kernels_(kernels),
        source_(weights, kernels) {}

  std::size_t bytes_per_row() const override { return w_.bytes(); }

 protected:
  Route route(const Question& question) const override {
    if (question.negative != nullptr || question.chain == nullptr) return Route::kFullRow;
    const LogitsNeeded needed = logits_needed(question);
    if (needed.kind != LogitsNeeded::kEach || needed.temperature != 1) return Route::kFullRow;
    return asks_for_more(question) || !question.score.empty() ? Route::kFewAndFullRow : Route::kFewLogits;
  }
  std::unique_ptr<HeadScratch> make_few_scratch(std::size_t max_rows, int threads) const override {
    auto scratch =
        std::make_unique<MixtureScratch>(w_, std::clamp<std::size_t>(max_rows, 1, kMaxContexts), threads);
    if (!scratch->ok()) return nullptr;
    return scratch;
  }
  void answer_few(std::span<const Question> questions, HeadScratch& scratch,
                  std::span<Result<Answer>> answers) const override;

 private:
  const OutputWeights& w_;
  const Kernels& kernels_;
  MixtureSource source_;
};

/// Draws a context by the prior. log_prior: [contexts].
std::size_t draw_context(std::span<const float> log_prior, const DrawKey& key) {
  double left = uniform(key, kPartStream);
  std::size_t k = 0;
  for (; k + 1 < log_prior.size(); ++k) {
    left -= std::exp(static_cast<double>(log_prior[k]));
    if (left < 0) break;
  }
  return k;
}

void MixtureHead::answer_few(std::span<const Question> questions, HeadScratch& head_scratch,
                             std::span<Result<Answer>> answers) const {
  auto& scratch = static_cast<MixtureScratch&>(head_scratch);
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < questions.size(); first += scratch.at_a_time) {
      const auto chunk = questions.subspan(first, std::min(scratch.at_a_time, questions.size() - first));
      const auto for_my_rows = [&](auto&& visit) {
        const auto [mine, end] = worker.share(chunk.size());
        for (std::size_t r = mine; r < end; ++r) visit(r);
      };
      for_my_rows([&](std::size_t r) {
        std::copy_n(chunk[r].hidden, w_.hidden_size, floats(scratch.hidden) + r * w_.hidden_size);
      });
      worker.wait();
      source_.contexts(worker, floats(scratch.hidden), chunk.size(), scratch);
      for_my_rows([&](std::size_t r) {
        const std::span<const float> prior(scratch.prior.data() + r * scratch.contexts, scratch.contexts);
        const std::size_t context = r * scratch.contexts + draw_context(prior, chunk[r].key);
        std::copy_n(floats(scratch.latent) + context * scratch.width, scratch.width,
                    scratch.drawn.data() + r * scratch.width);
      });
      worker.wait();
      source_.words(worker, scratch.drawn.data(), chunk.size(), scratch);
      Candidates& candidates = scratch.candidates[static_cast<std::size_t>(worker.index)];
      for_my_rows([&](std::size_t r) {
        if (!std::isfinite(scratch.prior[r * scratch.contexts])) {
          answers[first + r] = error_of(ErrorCode::kBadNumbers, [] {
            return std::string("the prior of the mixture is not a finite number");
          });
          return;
        }
        const LogitRow row{{floats(scratch.logits) + r * scratch.ld, w_.vocab_size},
                           {scratch.maxima.data() + r * scratch.tiles, scratch.tiles}};
        answers[first + r] = catch_all([&] { return answer_row(chunk[r], row, row, kernels_, candidates); });
        if (answers[first + r]) answers[first + r]->head_bytes = w_.bytes();
      });
      worker.wait();  // the next rows overwrite these
    }
  });
}

}  // namespace

std::unique_ptr<OutputHead> make_mixture_head(const OutputWeights& weights, const Kernels& kernels) {
  return std::make_unique<MixtureHead>(weights, kernels);
}

}  // namespace partita::internal
