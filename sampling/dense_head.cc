// The dense head: one matrix product, every logit of every row, then each row's question by one thread.
#include <algorithm>
#include <cmath>
#include <string>

#include "engine/kernels/parallel.h"
#include "sampling/head.h"
#include "sampling/softmax/softmax.h"
#include "sampling/top_k.h"

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
      : block_rows(std::clamp<std::size_t>(max_rows, 1, kRowsAtATime)),
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

  Result<Answer> answer_row(const Question& question, std::span<const float> logits, Candidates& row) const;
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
    for (std::size_t first = 0; first < questions.size(); first += scratch.block_rows) {
      const std::size_t rows = std::min(scratch.block_rows, questions.size() - first);
      const auto [mine, end] = worker.share(rows);
      for (std::size_t r = mine; r < end; ++r) {
        std::copy_n(questions[first + r].hidden, matrix_.cols, scratch.row_values() + r * matrix_.cols);
      }
      worker.wait();
      project(worker, scratch.activations(scratch.row_values(), rows, matrix_.cols), scratch,
              scratch.row_logits(), scratch.ld);
      for (std::size_t r = mine; r < end; ++r) {
        answers[first + r] =
            answer_row(questions[first + r], {scratch.row_logits() + r * scratch.ld, matrix_.rows},
                       scratch.members[static_cast<std::size_t>(worker.index)].candidates);
      }
      worker.wait();  // the next block overwrites these logits
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

Result<Answer> DenseHead::answer_row(const Question& question, std::span<const float> logits,
                                     Candidates& row) const {
  Answer answer;
  if (question.chain != nullptr) {
    const Result<std::int32_t> chosen =
        question.chain->choose(logits, {question.history, &kernels_}, question.key, row);
    if (!chosen) return chosen.error();
    answer.id = *chosen;
  }
  const bool of_chosen = question.chosen_logprob && question.chain != nullptr;
  if (!of_chosen && question.score.empty() && question.top <= 0) return answer;

  const Result<LogPartition> partition = log_partition(logits, kernels_);
  if (!partition) return partition.error();
  const LogProbabilities logprobs{logits, *partition};
  if (of_chosen) answer.logprob = logprobs.of(answer.id);
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
