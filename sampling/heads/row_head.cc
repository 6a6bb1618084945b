#include "sampling/heads/row_head.h"

#include <algorithm>
#include <utility>

#include "sampling/chain/guidance.h"
#include "sampling/heads/row_answer.h"
#include "weights/catch_all.h"

namespace partita {
namespace {

/// Rows whose logits are held at a time, so that they share each load of a weight panel: 16 of the largest
/// vocabularies, more of those whose logits take less memory.
constexpr std::size_t kFewestRows = 16, kMostRows = 64;
constexpr std::size_t kLogitBytes = std::size_t{16} << 20;

std::size_t rows_at_a_time(std::size_t vocab) {
  return std::clamp(kLogitBytes / (vocab * sizeof(float)), kFewestRows, kMostRows);
}

class RowScratch : public HeadScratch {
 public:
  RowScratch(const LogitSource& of, std::size_t max_rows, int threads)
      : block_rows(std::clamp<std::size_t>(max_rows, 2,
                                           rows_at_a_time(of.vocab_size()))),  // 2: one with guidance
        ld((of.vocab_size() + kPanelRows - 1) / kPanelRows * kPanelRows),
        blocks(blocks_of(of.vocab_size())),
        hidden(block_rows * of.hidden_size() * sizeof(float)),
        logits(block_rows * ld * sizeof(float)),
        maxima(block_rows * blocks * sizeof(float)),
        team(threads),
        candidates(static_cast<std::size_t>(team.threads())),
        source(of.make_scratch(block_rows, team.threads())) {}

  bool complete() const {
    return source != nullptr && hidden.data() != nullptr && logits.data() != nullptr &&
           maxima.data() != nullptr;
  }

  float* values() { return reinterpret_cast<float*>(hidden.data()); }
  float* row_logits(std::size_t r) { return reinterpret_cast<float*>(logits.data()) + r * ld; }
  float* row_maxima(std::size_t r) { return reinterpret_cast<float*>(maxima.data()) + r * blocks; }
  LogitRow row(std::size_t r, std::size_t vocab) { return {{row_logits(r), vocab}, {row_maxima(r), blocks}}; }

  const std::size_t block_rows;
  const std::size_t ld;      // of logits: vocab rounded up to whole panels
  const std::size_t blocks;  // of kBlockValues logits
  AlignedBytes hidden;       // [block_rows][hidden]
  AlignedBytes logits;       // [block_rows][ld]
  AlignedBytes maxima;       // [block_rows][blocks]
  Team team;
  std::vector<Candidates> candidates;  // one a thread
  std::unique_ptr<SourceScratch> source;
};

std::size_t rows_of(const Question& question) { return question.negative == nullptr ? 1 : 2; }

/// Questions that are answered together: as many as their rows allow, in order.
struct Block {
  std::span<const Question> questions;
  std::size_t rows = 0;

  static Block first_of(std::span<const Question> rest, std::size_t most) {
    Block block;
    std::size_t n = 0;
    while (n < rest.size() && block.rows + rows_of(rest[n]) <= most) block.rows += rows_of(rest[n++]);
    block.questions = rest.first(n);
    return block;
  }

  /// The row of a question; its negative one is the next.
  std::size_t row_of(std::size_t question) const {
    std::size_t row = 0;
    for (const Question& before : questions.first(question)) row += rows_of(before);
    return row;
  }
};

class RowHead : public OutputHead {
 public:
  RowHead(std::unique_ptr<const LogitSource> source, const Kernels& kernels)
      : source_(std::move(source)), kernels_(kernels) {}

  std::size_t vocab_size() const override { return source_->vocab_size(); }
  std::size_t hidden_size() const override { return source_->hidden_size(); }
  std::size_t bytes_per_row() const override { return source_->bytes(); }

  std::unique_ptr<HeadScratch> make_scratch(std::size_t max_rows, int threads) const override {
    auto scratch = std::make_unique<RowScratch>(*source_, max_rows, threads);
    if (!scratch->complete()) return nullptr;
    return scratch;
  }

  void answer(std::span<const Question> questions, HeadScratch& scratch,
              std::span<Result<Answer>> answers) const override;
  void logits(const float* hidden, std::size_t rows, HeadScratch& scratch, float* out) const override;

 private:
  /// The answer to a question whose rows of logits begin at row r. A negative row is overwritten.
  Result<Answer> answer_rows(const Question& question, std::size_t r, RowScratch& scratch,
                             Candidates& candidates) const;

  std::unique_ptr<const LogitSource> source_;
  const Kernels& kernels_;
};

void RowHead::answer(std::span<const Question> questions, HeadScratch& head_scratch,
                     std::span<Result<Answer>> answers) const {
  auto& scratch = static_cast<RowScratch&>(head_scratch);
  const std::size_t width = source_->hidden_size();
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < questions.size();) {
      const Block block = Block::first_of(questions.subspan(first), scratch.block_rows);
      const auto [first_copied, last_copied] = worker.share(block.questions.size());
      for (std::size_t q = first_copied; q < last_copied; ++q) {
        const Question& question = block.questions[q];
        float* const to = scratch.values() + block.row_of(q) * width;
        std::copy_n(question.hidden, width, to);
        if (question.negative != nullptr) std::copy_n(question.negative, width, to + width);
      }
      worker.wait();
      source_->rows(worker, scratch.values(), block.rows, *scratch.source,
                    {scratch.row_logits(0), scratch.ld, scratch.row_maxima(0), scratch.blocks});
      const auto [mine, end] = worker.share(block.questions.size());
      for (std::size_t q = mine; q < end; ++q) {
        Result<Answer>& answer = answers[first + q];
        answer = guarded([&] {
          return answer_rows(block.questions[q], block.row_of(q), scratch,
                             scratch.candidates[static_cast<std::size_t>(worker.index)]);
        });
        if (answer) answer->head_bytes = source_->bytes();
      }
      worker.wait();  // the next block overwrites these logits
      first += block.questions.size();
    }
  });
}

void RowHead::logits(const float* hidden, std::size_t rows, HeadScratch& head_scratch, float* out) const {
  auto& scratch = static_cast<RowScratch&>(head_scratch);
  const std::size_t vocab = source_->vocab_size();
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < rows; first += scratch.block_rows) {
      const std::size_t n = std::min(scratch.block_rows, rows - first);
      source_->rows(worker, hidden + first * source_->hidden_size(), n, *scratch.source,
                    {out + first * vocab, vocab});
    }
  });
}

Result<Answer> RowHead::answer_rows(const Question& question, std::size_t r, RowScratch& scratch,
                                    Candidates& candidates) const {
  const std::size_t vocab = source_->vocab_size();
  const LogitRow own = scratch.row(r, vocab);
  if (question.negative == nullptr || question.chain == nullptr) {
    return answer_row(question, own, own, kernels_, candidates);
  }
  const std::span<float> guided(scratch.row_logits(r + 1), vocab);
  if (auto done = guide(own.logits, guided, question.guidance_scale, kernels_); !done) return done.error();
  return answer_row(question, own, LogitRow(guided), kernels_, candidates);
}

}  // namespace

std::unique_ptr<OutputHead> make_row_head(std::unique_ptr<const LogitSource> source, const Kernels& kernels) {
  return std::make_unique<RowHead>(std::move(source), kernels);
}

std::unique_ptr<OutputHead> make_head(const OutputWeights& weights, const Kernels& kernels) {
  switch (weights.kind) {
    case OutputKind::kDense:
      break;
    case OutputKind::kAdaptive:
      return make_adaptive_head(weights, kernels);
    case OutputKind::kTree:
      return make_tree_head(weights, kernels);
    case OutputKind::kMixture:
      return make_mixture_head(weights, kernels);
  }
  return make_dense_head(weights.root.weight, kernels);
}

}  // namespace partita
