// The dense head: one matrix product, every logit of every row, then each row's question by one thread.
#include <algorithm>

#include "engine/kernels/parallel.h"
#include "sampling/guidance.h"
#include "sampling/head.h"
#include "sampling/row_answer.h"

namespace partita {
namespace {

/// Rows whose logits are held at a time, so that they share each load of a weight panel: 16 of the largest
/// vocabularies, more of those whose logits take less memory.
constexpr std::size_t kFewestRows = 16, kMostRows = 64;
constexpr std::size_t kLogitBytes = std::size_t{16} << 20;

std::size_t rows_at_a_time(std::size_t vocab) {
  return std::clamp(kLogitBytes / (vocab * sizeof(float)), kFewestRows, kMostRows);
}

/// What one thread needs for itself.
struct Member {
  AlignedBytes matmul;
  Candidates candidates;
};

class DenseScratch : public HeadScratch {
 public:
  DenseScratch(const PackedMatrix& matrix, std::size_t max_rows, int threads)
      : block_rows(std::clamp<std::size_t>(max_rows, 2,
                                           rows_at_a_time(matrix.rows))),  // 2: one question with guidance
        ld(matrix.panels() * kPanelRows),
        blocks(blocks_of(matrix.rows)),
        buffer(block_rows, matrix.cols),
        logits(block_rows * ld * sizeof(float)),
        maxima(block_rows * blocks * sizeof(float)),
        team(threads),
        members(static_cast<std::size_t>(team.threads())) {
    for (Member& member : members) member.matmul = AlignedBytes(matmul_scratch_bytes(matrix.cols));
  }

  bool complete() const {
    const auto has = [](const AlignedBytes& bytes) { return bytes.size() == 0 || bytes.data() != nullptr; };
    return buffer.ok() && has(logits) && has(maxima) &&
           std::all_of(members.begin(), members.end(), [&](const Member& m) { return has(m.matmul); });
  }

  float* row_values() { return buffer.values(); }
  float* row_logits() { return reinterpret_cast<float*>(logits.data()); }
  float* row_maxima() { return reinterpret_cast<float*>(maxima.data()); }
  LogitRow row(std::size_t r, std::size_t vocab) {
    return {{row_logits() + r * ld, vocab}, {row_maxima() + r * blocks, blocks}};
  }

  /// The activations of `rows` rows whose values stand at `from`.
  Activations activations(const float* from, std::size_t rows, std::size_t cols) {
    Activations x = buffer.view(rows, cols);
    x.values = from;
    return x;
  }

  const std::size_t block_rows;
  const std::size_t ld;      // of logits: vocab rounded up to whole panels
  const std::size_t blocks;  // of kBlockValues logits
  ActivationBuffer buffer;   // [block_rows][hidden]
  AlignedBytes logits;       // [block_rows][ld]
  AlignedBytes maxima;       // [block_rows][blocks]
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

/// Where logits go, and the maxima of their blocks of kBlockValues.
struct Output {
  float* logits = nullptr;  // [rows][ld]
  std::size_t ld = 0;
  float* maxima = nullptr;  // [rows][blocks], or null: not wanted
  std::size_t blocks = 0;
};

/// Panels that write one block.
constexpr std::size_t kBlockPanels = kBlockValues / kPanelRows;

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
  /// The logits of x. All workers call it together; on return all of `out` is complete.
  void project(const Worker& worker, const Activations& x, DenseScratch& scratch, const Output& out) const;
  /// The answer to a question whose rows of logits begin at row r. A negative row is overwritten.
  Result<Answer> answer_rows(const Question& question, std::size_t r, DenseScratch& scratch,
                             Candidates& candidates) const;

  const PackedMatrix& matrix_;
  const Kernels& kernels_;
};

void DenseHead::project(const Worker& worker, const Activations& x, DenseScratch& scratch,
                        const Output& out) const {
  if (matrix_.quantized()) {
    const auto [first, last] = worker.share(x.rows);
    kernels_.quantize(x, first, last);
    worker.wait();
  }
  const auto [first, last] = worker.share(matrix_.panels(), kBlockPanels);
  std::byte* own = scratch.members[static_cast<std::size_t>(worker.index)].matmul.data();
  if (out.maxima == nullptr) {
    kernels_.matmul(matrix_, first, last, x, out.logits, out.ld, own);
  } else {
    // A block at a time, so that its maximum is taken while it is in the first cache.
    for (std::size_t panel = first; panel < last; panel += kBlockPanels) {
      kernels_.matmul(matrix_, panel, std::min(panel + kBlockPanels, last), x, out.logits, out.ld, own);
      const std::size_t id = panel * kPanelRows;
      const std::size_t n = std::min(kBlockValues, matrix_.rows - id);
      for (std::size_t r = 0; r < x.rows; ++r) {
        out.maxima[r * out.blocks + id / kBlockValues] = kernels_.max(out.logits + r * out.ld + id, n);
      }
    }
  }
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
              {scratch.row_logits(), scratch.ld, scratch.row_maxima(), scratch.blocks});
      for (std::size_t q = mine; q < end; ++q) {
        Result<Answer>& answer = answers[first + q];
        answer = answer_rows(block.questions[q], block.row_of(q), scratch,
                             scratch.members[static_cast<std::size_t>(worker.index)].candidates);
        if (answer) answer->head_bytes = matrix_.bytes();
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
              {out + first * matrix_.rows, matrix_.rows});
    }
  });
}

Result<Answer> DenseHead::answer_rows(const Question& question, std::size_t r, DenseScratch& scratch,
                                      Candidates& candidates) const {
  const LogitRow own = scratch.row(r, matrix_.rows);
  if (question.negative == nullptr || question.chain == nullptr) {
    return answer_row(question, own, own, kernels_, candidates);
  }
  const std::span<float> guided(scratch.row_logits() + (r + 1) * scratch.ld, matrix_.rows);
  if (auto done = guide(own.logits, guided, question.guidance_scale, kernels_); !done) return done.error();
  return answer_row(question, own, LogitRow(guided), kernels_, candidates);
}

}  // namespace

std::unique_ptr<OutputHead> make_dense_head(const PackedMatrix& matrix, const Kernels& kernels) {
  return std::make_unique<DenseHead>(matrix, kernels);
}

}  // namespace partita
