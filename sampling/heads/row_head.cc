#include "sampling/heads/row_head.h"

#include <algorithm>
#include <new>
#include <utility>

#include "sampling/chain/guidance.h"
#include "sampling/heads/row_answer.h"
#include "weights/catch_all.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// Limits of the rows whose logits are stored at a time and that share each load of a weight panel: 16 for
/// the largest vocabularies, more where logits take less memory.
constexpr std::size_t kMinRows = 16, kMaxRows = 64;
constexpr std::size_t kLogitBytes = std::size_t{16} << 20;

std::size_t rows_at_a_time(std::size_t vocab) {
  return std::clamp(kLogitBytes / (vocab * sizeof(float)), kMinRows, kMaxRows);
}

class RowScratch : public HeadScratch {
 public:
  RowScratch(const LogitSource& of, std::size_t max_rows, int threads)
      : chunk_rows(std::clamp<std::size_t>(max_rows, 2,
                                           rows_at_a_time(of.vocab_size()))),  // 2: one with guidance
        ld((of.vocab_size() + kPanelRows - 1) / kPanelRows * kPanelRows),
        tiles(tiles_of(of.vocab_size())),
        hidden(chunk_rows * of.hidden_size() * sizeof(float)),
        logits(chunk_rows * ld * sizeof(float)),
        maxima(chunk_rows * tiles * sizeof(float)),
        team(threads),
        candidates(static_cast<std::size_t>(team.threads())),
        adapters(chunk_rows),
        source(of.make_scratch(chunk_rows, team.threads())) {}

  bool complete() const {
    return source != nullptr && hidden.data() != nullptr && logits.data() != nullptr &&
           maxima.data() != nullptr;
  }

  float* values() { return reinterpret_cast<float*>(hidden.data()); }
  float* row_logits(std::size_t r) { return reinterpret_cast<float*>(logits.data()) + r * ld; }
  float* row_maxima(std::size_t r) { return reinterpret_cast<float*>(maxima.data()) + r * tiles; }
  std::span<const AdapterSet* const> adapters_of(std::size_t rows) { return std::span(adapters).first(rows); }
  LogitRow row(std::size_t r, std::size_t vocab) { return {{row_logits(r), vocab}, {row_maxima(r), tiles}}; }

  const std::size_t chunk_rows;
  const std::size_t ld;     // of logits: vocab rounded up to whole panels
  const std::size_t tiles;  // of kLogitTile logits
  AlignedBytes hidden;      // [chunk_rows][hidden]
  AlignedBytes logits;      // [chunk_rows][ld]
  AlignedBytes maxima;      // [chunk_rows][tiles]
  Team team;
  std::vector<Candidates> candidates;       // one per thread
  std::vector<const AdapterSet*> adapters;  // [chunk_rows]
  std::unique_ptr<SourceScratch> source;
};

std::size_t rows_of(const Question& question) { return question.negative == nullptr ? 1 : 2; }

/// The next questions that are answered together, as many as fit in the rows.
struct QuestionChunk {
  std::span<const Question> questions;
  std::size_t rows = 0;

  static QuestionChunk first_of(std::span<const Question> rest, std::size_t most) {
    QuestionChunk chunk;
    std::size_t n = 0;
    while (n < rest.size() && chunk.rows + rows_of(rest[n]) <= most) chunk.rows += rows_of(rest[n++]);
    chunk.questions = rest.first(n);
    return chunk;
  }

  /// The first row of a question; its negative row follows.
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
  void logits(const float* hidden, std::size_t rows, const AdapterSet* adapters, HeadScratch& scratch,
              float* out) const override;

 private:
  /// Throws std::bad_alloc.
  void prepare(const AdapterSet* adapters, RowScratch& scratch) const {
    if (adapters != nullptr && !source_->prepare(*adapters, *scratch.source)) throw std::bad_alloc();
  }

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
  bool adapted = false;
  for (const Question& question : questions) {
    prepare(question.adapters, scratch);
    adapted |= question.adapters != nullptr;
  }
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < questions.size();) {
      const QuestionChunk chunk = QuestionChunk::first_of(questions.subspan(first), scratch.chunk_rows);
      const auto [first_copied, last_copied] = worker.share(chunk.questions.size());
      for (std::size_t q = first_copied; q < last_copied; ++q) {
        const Question& question = chunk.questions[q];
        const std::size_t row = chunk.row_of(q);
        float* const to = scratch.values() + row * width;
        std::copy_n(question.hidden, width, to);
        if (question.negative != nullptr) std::copy_n(question.negative, width, to + width);
        std::fill_n(scratch.adapters.begin() + static_cast<std::ptrdiff_t>(row), rows_of(question),
                    question.adapters);
      }
      worker.wait();
      source_->rows(worker, scratch.values(), chunk.rows, *scratch.source,
                    {scratch.row_logits(0), scratch.ld, scratch.row_maxima(0), scratch.tiles,
                     scratch.adapters_of(adapted ? chunk.rows : 0)});
      const auto [mine, end] = worker.share(chunk.questions.size());
      for (std::size_t q = mine; q < end; ++q) {
        Result<Answer>& answer = answers[first + q];
        answer = catch_all([&] {
          return answer_rows(chunk.questions[q], chunk.row_of(q), scratch,
                             scratch.candidates[static_cast<std::size_t>(worker.index)]);
        });
        if (answer) answer->head_bytes = source_->bytes();
      }
      worker.wait();  // the next chunk overwrites these logits
      first += chunk.questions.size();
    }
  });
}

void RowHead::logits(const float* hidden, std::size_t rows, const AdapterSet* adapters,
                     HeadScratch& head_scratch, float* out) const {
  auto& scratch = static_cast<RowScratch&>(head_scratch);
  prepare(adapters, scratch);
  std::fill(scratch.adapters.begin(), scratch.adapters.end(), adapters);
  const std::size_t vocab = source_->vocab_size();
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < rows; first += scratch.chunk_rows) {
      const std::size_t n = std::min(scratch.chunk_rows, rows - first);
      source_->rows(worker, hidden + first * source_->hidden_size(), n, *scratch.source,
                    {.logits = out + first * vocab,
                     .ld = vocab,
                     .adapters = scratch.adapters_of(adapters != nullptr ? n : 0)});
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
  TRY(guide(own.logits, guided, question.guidance_scale, kernels_));
  return answer_row(question, own, LogitRow(guided), kernels_, candidates);
}

}  // namespace

std::unique_ptr<OutputHead> make_row_head(std::unique_ptr<const LogitSource> source, const Kernels& kernels) {
  return std::make_unique<RowHead>(std::move(source), kernels);
}

}  // namespace partita::internal
