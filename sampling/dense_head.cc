// The dense head: one matrix product, every logit of every row, then each row's question by one thread.
#include <algorithm>
#include <cmath>
#include <string>

#include "engine/kernels/parallel.h"
#include "sampling/guidance.h"
#include "sampling/head.h"
#include "sampling/softmax.h"
#include "sampling/stages/top_k.h"

namespace partita {
namespace {

/// Rows whose logits are held at a time: enough to share each load of a weight panel, 16 MiB at 262,144
/// words.
constexpr std::size_t kRowsAtATime = 16;

/// What one thread needs for itself.
struct Member {
  AlignedBytes matmul;
  Candidates candidates;
};

class DenseScratch : public HeadScratch {
 public:
  DenseScratch(const PackedMatrix& matrix, std::size_t max_rows, int threads)
      : block_rows(std::clamp<std::size_t>(max_rows, 2, kRowsAtATime)),  // 2: one question with guidance
        ld(matrix.panels() * kPanelRows),
        buffer(block_rows, matrix.cols),
        logits(block_rows * ld * sizeof(float)),
        team(threads),
        members(static_cast<std::size_t>(team.threads())) {
    for (Member& member : members) member.matmul = AlignedBytes(matmul_scratch_bytes(matrix.cols));
  }

  bool complete() const {
    const auto has = [](const AlignedBytes& bytes) { return bytes.size() == 0 || bytes.data() != nullptr; };
    return buffer.ok() && has(logits) &&
           std::all_of(members.begin(), members.end(), [&](const Member& m) { return has(m.matmul); });
  }

  float* row_values() { return buffer.values(); }
  float* row_logits() { return reinterpret_cast<float*>(logits.data()); }

  /// The activations of `rows` rows whose values stand at `from`.
  Activations activations(const float* from, std::size_t rows, std::size_t cols) {
    Activations x = buffer.view(rows, cols);
    x.values = from;
    return x;
  }

  const std::size_t block_rows;
  const std::size_t ld;     // of logits: vocab rounded up to whole panels
  ActivationBuffer buffer;  // [block_rows][hidden]
  AlignedBytes logits;      // [block_rows][ld]
  Team team;
  std::vector<Member> members;  // one a thread
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

/// A row and its normalizer.
struct LogProbabilities {
  std::span<const float> logits;
  LogPartition partition;
  float of(std::int32_t id) const { return partition.log_probability(logits[static_cast<std::size_t>(id)]); }
};

Error no_such_id(std::int32_t id, std::size_t vocab) {
  return {ErrorCode::kInvalidArgument, "the id to score is " + std::to_string(id) +
                                           ", but the ids of the vocabulary are 0 to " +
                                           std::to_string(vocab - 1)};
}

class DenseHead : public OutputHead {
 public:
  DenseHead(const PackedMatrix& matrix, const Kernels& kernels) : matrix_(matrix), kernels_(kernels) {}

  std::size_t vocab_size() const override { return matrix_.rows; }
  std::size_t hidden_size() const override { return matrix_.cols; }
  std::size_t bytes_per_row() const override { return matrix_.panels() * matrix_.panel_bytes(); }

  std::unique_ptr<HeadScratch> make_scratch(std::size_t max_rows, int threads) const override {
    auto scratch = std::make_unique<DenseScratch>(matrix_, max_rows, threads);
    if (!scratch->complete()) return nullptr;
    return scratch;
  }

  void answer(std::span<const Question> questions, HeadScratch& scratch,
              std::span<Result<Answer>> answers) const override;
  void logits(const float* hidden, std::size_t rows, HeadScratch& scratch, float* out) const override;

 private:
  /// y[rows][ld] = the logits of x. All workers call it together; on return the rows of y are complete.
  void project(const Worker& worker, const Activations& x, DenseScratch& scratch, float* y,
               std::size_t ld) const;

  /// rows: [rows_of(question)][ld], the question's logits; a negative row is overwritten.
  Result<Answer> answer_row(const Question& question, float* rows, std::size_t ld, Candidates& row) const;
  /// The k largest, likeliest first. Precondition: log_partition() accepted the row.
  std::vector<std::pair<std::int32_t, float>> likeliest(const LogProbabilities& logprobs, std::size_t k,
                                                        Candidates& row) const;

  const PackedMatrix& matrix_;
  const Kernels& kernels_;
};

void DenseHead::project(const Worker& worker, const Activations& x, DenseScratch& scratch, float* y,
                        std::size_t ld) const {
  if (matrix_.quantized()) {
    const auto [first, last] = worker.share(x.rows);
    kernels_.quantize(x, first, last);
    worker.wait();
  }
  const auto [first, last] = worker.share(matrix_.panels());
  std::byte* own = scratch.members[static_cast<std::size_t>(worker.index)].matmul.data();
  kernels_.matmul(matrix_, first, last, x, y, ld, own);
  worker.wait();
}

void DenseHead::answer(std::span<const Question> questions, HeadScratch& head_scratch,
                       std::span<Result<Answer>> answers) const {
  auto& scratch = static_cast<DenseScratch&>(head_scratch);
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < questions.size();) {
      const Block block = Block::first_of(questions.subspan(first), scratch.block_rows);
      const auto [mine, end] = worker.share(block.questions.size());
      for (std::size_t q = mine; q < end; ++q) {
        const Question& question = block.questions[q];
        float* const to = scratch.row_values() + block.row_of(q) * matrix_.cols;
        std::copy_n(question.hidden, matrix_.cols, to);
        if (question.negative != nullptr) std::copy_n(question.negative, matrix_.cols, to + matrix_.cols);
      }
      worker.wait();
      project(worker, scratch.activations(scratch.row_values(), block.rows, matrix_.cols), scratch,
              scratch.row_logits(), scratch.ld);
      for (std::size_t q = mine; q < end; ++q) {
        answers[first + q] =
            answer_row(block.questions[q], scratch.row_logits() + block.row_of(q) * scratch.ld, scratch.ld,
                       scratch.members[static_cast<std::size_t>(worker.index)].candidates);
      }
      worker.wait();  // the next block overwrites these logits
      first += block.questions.size();
    }
  });
}

void DenseHead::logits(const float* hidden, std::size_t rows, HeadScratch& head_scratch, float* out) const {
  auto& scratch = static_cast<DenseScratch&>(head_scratch);
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < rows; first += scratch.block_rows) {
      const std::size_t n = std::min(scratch.block_rows, rows - first);
      project(worker, scratch.activations(hidden + first * matrix_.cols, n, matrix_.cols), scratch,
              out + first * matrix_.rows, matrix_.rows);
    }
  });
}

Result<Answer> DenseHead::answer_row(const Question& question, float* rows, std::size_t ld,
                                     Candidates& row) const {
  const std::span<const float> logits(rows, matrix_.rows);
  Answer answer;
  if (question.chain != nullptr) {
    std::span<const float> guided = logits;
    if (question.negative != nullptr) {
      const std::span<float> negative(rows + ld, matrix_.rows);
      const Result<void> done = guide(logits, negative, question.guidance_scale, kernels_);
      if (!done) return done.error();
      guided = negative;
    }
    const Result<Choice> chosen = question.chain->choose(
        guided, {question.history, question.prompt_size, question.key, &kernels_}, question.state, row);
    if (!chosen) return chosen.error();
    answer.choice = *chosen;
  }
  const bool of_chosen = question.chosen_logprob && question.chain != nullptr;
  if (!of_chosen && question.score.empty() && question.top <= 0) return answer;

  const Result<LogPartition> partition = log_partition(logits, kernels_);
  if (!partition) return partition.error();
  const LogProbabilities logprobs{logits, *partition};
  if (of_chosen) answer.logprob = logprobs.of(answer.choice.id);
  for (const std::int32_t id : question.score) {
    if (id < 0 || static_cast<std::size_t>(id) >= logits.size()) return no_such_id(id, logits.size());
    answer.score.push_back(logprobs.of(id));
  }
  if (question.top > 0) answer.top = likeliest(logprobs, static_cast<std::size_t>(question.top), row);
  return answer;
}

std::vector<std::pair<std::int32_t, float>> DenseHead::likeliest(const LogProbabilities& logprobs,
                                                                 std::size_t k, Candidates& row) const {
  std::vector<std::pair<std::int32_t, float>> top;
  if (!row.start(logprobs.logits, kernels_)) return top;  // not reached: log_partition took the same row
  keep_top_k(row, k);
  top.reserve(row.count());
  for (std::size_t i = 0; i < row.count(); ++i) {
    if (!std::isinf(row.values()[i])) top.emplace_back(row.id(i), row.values()[i]);
  }
  // By logit, not by its log-probability, which has fewer bits left to tell two ids apart.
  std::sort(top.begin(), top.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  for (auto& [id, value] : top) value = logprobs.of(id);
  return top;
}

}  // namespace

std::unique_ptr<OutputHead> make_dense_head(const PackedMatrix& matrix, const Kernels& kernels) {
  return std::make_unique<DenseHead>(matrix, kernels);
}

}  // namespace partita
