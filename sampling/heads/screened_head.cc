// The screened head: bounds of all logits from a quarter of the bytes, then the exact logits of those that
// the bounds leave in question. They stand in a row in which all others are masked, and what answers from a
// whole row answers from that one.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>

#include "engine/kernels/parallel.h"
#include "sampling/chain/noise.h"
#include "sampling/heads/products.h"
#include "sampling/heads/row_answer.h"
#include "sampling/heads/split_head.h"
#include "weights/catch_all.h"

namespace partita {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

/// Rows that share each read of the screen.
constexpr std::size_t kMostRows = 16;

/// Beyond that a screen saves little.
constexpr std::size_t kMostCount = 1024;
constexpr std::size_t kMostLowered =
    128;  // more would make too much be computed, and the screen be read in vain
constexpr double kMostDistance = 12;

/// A row is one worker's, all panels at once are everybody's: where more than 1 / (kMostShare * workers) of
/// them are in question, those take less time.
constexpr std::size_t kMostShare = 2;
/// Of that, the part that may be computed to see whether a word is in a nucleus; how far below the word, in
/// nats, each further look goes, and how many there are.
constexpr std::size_t kNucleusShare = 2;
constexpr double kNucleusStep = 3;
constexpr int kNucleusLooks = 3;
/// More than what float sums of weights over a vocabulary are apart in whatever order they are taken.
constexpr double kSumRounding = 1e-5;

/// Hidden states of any model are far below; floats of the screen's arithmetic are far above.
constexpr float kMostHidden = 1e6F;

/// The largest float not above x.
float round_down(double x) {
  const auto near = static_cast<float>(x);
  return static_cast<double>(near) <= x ? near : std::nextafter(near, kMasked);
}

/// A row of logits, masked but for those that were computed.
struct PartialRow {
  float* logits = nullptr;              // [panels * 16], kMasked
  float* maxima = nullptr;              // [blocks], kMasked
  const float* upper = nullptr;         // [panels * 16]: of logits less shift
  const float* upper_maxima = nullptr;  // [blocks]
  double shift = 0;
  float lower = 0;       // some logit is not below, less shift
  std::size_t most = 0;  // panels that may be in question
};

class ScreenedScratch : public HeadScratch {
 public:
  struct Member {
    AlignedBytes matmul;
    Candidates candidates;
    std::vector<std::uint32_t> computed;
    std::vector<float> lower;  // [rows]
    std::vector<float> large;
  };

  ScreenedScratch(const PackedMatrix& matrix, std::size_t max_rows, int threads)
      : rows(std::clamp<std::size_t>(max_rows, 1, kMostRows)),
        ld(matrix.panels() * kPanelRows),
        blocks(blocks_of(matrix.rows)),
        buffer(rows, matrix.cols),
        taken(rows * matrix.cols),
        query(rows, matrix.cols),
        upper(rows * ld * sizeof(float)),
        logits(rows * ld * sizeof(float)),
        upper_maxima(rows * blocks),
        maxima(rows * blocks, kMasked),
        team(threads),
        members(static_cast<std::size_t>(team.threads())) {
    for (Member& member : members) {
      member.matmul = AlignedBytes(matmul_scratch_bytes(matrix.cols));
      member.lower.resize(rows);
    }
    if (complete()) std::fill_n(reinterpret_cast<float*>(logits.data()), rows * ld, kMasked);
  }

  bool complete() const {
    return buffer.ok() && upper.data() != nullptr && logits.data() != nullptr &&
           std::all_of(members.begin(), members.end(),
                       [](const Member& m) { return m.matmul.data() != nullptr; });
  }

  float* upper_row(std::size_t r) { return reinterpret_cast<float*>(upper.data()) + r * ld; }
  float* logit_row(std::size_t r) { return reinterpret_cast<float*>(logits.data()) + r * ld; }

  const std::size_t rows, ld, blocks;
  ActivationBuffer buffer;   // [rows][hidden]
  std::vector<float> taken;  // [rows][hidden]: the numbers that products take
  ScreenRows query;
  AlignedBytes upper, logits;               // [rows][ld]
  std::vector<float> upper_maxima, maxima;  // [rows][blocks]
  Team team;
  std::vector<Member> members;
};

class ScreenedHead : public SplitHead {
 public:
  ScreenedHead(const PackedMatrix& matrix, const Screen& screen, Certificate certificate,
               const Kernels& kernels)
      : SplitHead(make_dense_head(matrix, kernels)),
        matrix_(matrix),
        screen_(screen),
        certificate_(certificate),
        kernels_(kernels) {}

  std::size_t bytes_per_row() const override { return screen_.panels().bytes(); }

 protected:
  Way way(const Question& question) const override;
  std::unique_ptr<HeadScratch> make_few_scratch(std::size_t max_rows, int threads) const override {
    auto scratch = std::make_unique<ScreenedScratch>(matrix_, max_rows, threads);
    if (!scratch->complete()) return nullptr;
    return scratch;
  }
  void answer_few(std::span<const Question> questions, HeadScratch& scratch,
                  std::span<Result<Answer>> answers) const override;

 private:
  /// Quantizes and turns n rows of the scratch and writes their bounds; all workers together. Returns how
  /// many wrote some.
  int look(const Worker& worker, std::size_t n, ScreenedScratch& scratch) const;
  /// After look(), which `workers` did.
  Result<Answer> answer_from(const Question& question, std::size_t r, ScreenedScratch& scratch, int workers,
                             ScreenedScratch::Member& member) const;

  /// Masks what was computed for a row.
  void forget_computed(std::size_t r, ScreenedScratch& scratch, ScreenedScratch::Member& member) const;

  /// Computes the logits of every panel that has an upper bound of at least `least`.
  void compute_from(float least, PartialRow& row, const Activations& x,
                    ScreenedScratch::Member& member) const;
  /// Computes the logits of the panels that member.computed lists from `from` on.
  void compute_listed(std::size_t from, PartialRow& row, const Activations& x,
                      ScreenedScratch::Member& member) const;
  void compute_largest(std::size_t count, PartialRow& row, const Activations& x,
                       ScreenedScratch::Member& member) const;
  /// The logit of the word that is drawn.
  float compute_drawn(const DrawKey& key, double factor, PartialRow& row, const Activations& x,
                      ScreenedScratch::Member& member) const;
  bool shows_nucleus(float word, const Reach& reach, PartialRow& row, const Activations& x,
                     ScreenedScratch::Member& member) const;
  /// Whether at most `most` panels have an upper bound of at least `least`.
  bool are_few(float least, std::size_t most, const PartialRow& row) const;

  const PackedMatrix& matrix_;
  const Screen& screen_;
  Certificate certificate_;
  const Kernels& kernels_;
};

Way ScreenedHead::way(const Question& question) const {
  if (question.chain == nullptr || question.negative != nullptr || asks_for_more(question) ||
      !question.score.empty()) {
    return Way::kWhole;  // which chooses the same
  }
  const Reach reach = reach_of(question);
  if (reach.kind == Reach::kAll || (reach.kind == Reach::kLargest && reach.count > kMostCount) ||
      reach.lowered > kMostLowered || (reach.kind == Reach::kNear && !(reach.distance <= kMostDistance))) {
    return Way::kWhole;
  }
  // Bad numbers are the plain head's to report.
  const bool good = std::all_of(question.hidden, question.hidden + matrix_.cols,
                                [](float x) { return std::abs(x) <= kMostHidden; });
  return good ? Way::kFew : Way::kWhole;
}

void ScreenedHead::answer_few(std::span<const Question> questions, HeadScratch& head_scratch,
                              std::span<Result<Answer>> answers) const {
  auto& scratch = static_cast<ScreenedScratch&>(head_scratch);
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < questions.size(); first += scratch.rows) {
      const auto block = questions.subspan(first, std::min(scratch.rows, questions.size() - first));
      const auto [first_copied, last_copied] = worker.share(block.size());
      for (std::size_t r = first_copied; r < last_copied; ++r) {
        std::copy_n(block[r].hidden, matrix_.cols, scratch.buffer.values() + r * matrix_.cols);
      }
      worker.wait();
      const int workers = look(worker, block.size(), scratch);
      const auto [mine, end] = worker.share(block.size());
      ScreenedScratch::Member& member = scratch.members[static_cast<std::size_t>(worker.index)];
      for (std::size_t r = mine; r < end; ++r) {
        answers[first + r] = guarded([&] { return answer_from(block[r], r, scratch, workers, member); });
        forget_computed(r, scratch, member);
      }
      worker.wait();  // the next rows overwrite these
    }
  });
}

int ScreenedHead::look(const Worker& worker, std::size_t n, ScreenedScratch& scratch) const {
  ask_together(worker, matrix_, screen_, certificate_, scratch.buffer.view(n, matrix_.cols), kernels_,
               scratch.taken.data(), scratch.query);
  const ScreenPanels panels = screen_.panels();
  const auto [first, last] = worker.share(panels.panels(), kBlockPanels);
  float* const lower = scratch.members[static_cast<std::size_t>(worker.index)].lower.data();
  std::fill_n(lower, n, kMasked);
  for (std::size_t p = first; p < last; p += kBlockPanels) {
    const std::size_t stop = std::min(p + kBlockPanels, last), block = p / kBlockPanels;
    kernels_.screen(panels, p, stop, scratch.query.query(n), scratch.upper_row(0), scratch.ld, lower);
    for (std::size_t r = 0; r < n; ++r) {
      scratch.upper_maxima[r * scratch.blocks + block] =
          kernels_.max(scratch.upper_row(r) + p * kPanelRows, (stop - p) * kPanelRows);
    }
  }
  const int workers = worker.count;  // wait() may drop one
  worker.wait();
  return workers;
}

Result<Answer> ScreenedHead::answer_from(const Question& question, std::size_t r, ScreenedScratch& scratch,
                                         int workers, ScreenedScratch::Member& member) const {
  PartialRow row{scratch.logit_row(r),
                 scratch.maxima.data() + r * scratch.blocks,
                 scratch.upper_row(r),
                 scratch.upper_maxima.data() + r * scratch.blocks,
                 screen_.shift(scratch.taken.data() + r * matrix_.cols),
                 kMasked,
                 matrix_.panels() / (kMostShare * static_cast<std::size_t>(workers))};
  for (int w = 0; w < workers; ++w) {
    row.lower = std::max(row.lower, scratch.members[static_cast<std::size_t>(w)].lower[r]);
  }
  const Activations x = scratch.buffer.view(scratch.rows, matrix_.cols).from(r);

  if (!are_few(row.lower, row.most, row)) {
    Answer undecided;
    undecided.choice.id = kUndecided;
    undecided.head_bytes = screen_.panels().bytes();
    return undecided;
  }
  compute_from(row.lower, row, x, member);  // so that the largest logit is there
  const auto largest = [&] { return kernels_.max(row.maxima, scratch.blocks); };
  const Reach reach = reach_of(question);
  bool decided = true;
  switch (reach.kind) {
    case Reach::kLargest:
      if (reach.count > 1) compute_largest(reach.count, row, x, member);
      break;
    case Reach::kNear:
      compute_from(round_down(static_cast<double>(largest()) - reach.distance - row.shift), row, x, member);
      break;
    case Reach::kEach:
      compute_drawn(question.key, Candidates::weight_factor(1 / reach.temperature), row, x, member);
      break;
    case Reach::kNucleus: {
      const double factor = Candidates::weight_factor(1 / reach.temperature);
      decided = shows_nucleus(compute_drawn(question.key, factor, row, x, member), reach, row, x, member);
      break;
    }
    case Reach::kLower:
    case Reach::kAll:
      break;  // not here
  }

  const LogitRow own{{row.logits, matrix_.rows}, {row.maxima, scratch.blocks}};
  Result<Answer> answer = Answer{};
  if (decided) {
    answer = answer_row(question, own, own, kernels_, member.candidates);
  } else {
    answer->choice.id = kUndecided;
  }
  if (answer) answer->head_bytes = screen_.panels().bytes() + member.computed.size() * matrix_.panel_bytes();
  return answer;
}

void ScreenedHead::forget_computed(std::size_t r, ScreenedScratch& scratch,
                                   ScreenedScratch::Member& member) const {
  for (const std::uint32_t panel : member.computed) {
    std::fill_n(scratch.logit_row(r) + std::size_t{panel} * kPanelRows, kPanelRows, kMasked);
    scratch.maxima[r * scratch.blocks + panel / kBlockPanels] = kMasked;
  }
  member.computed.clear();
}

void ScreenedHead::compute_listed(std::size_t from, PartialRow& row, const Activations& x,
                                  ScreenedScratch::Member& member) const {
  const std::span<const std::uint32_t> listed = std::span(member.computed).subspan(from);
  multiply_listed(matrix_, listed, x, kernels_, member.matmul.data(), row.logits);
  for (const std::uint32_t panel : listed) {
    const std::size_t first = std::size_t{panel} * kPanelRows;
    float& most = row.maxima[panel / kBlockPanels];
    most = std::max(
        most, kernels_.max(row.logits + first, std::min<std::size_t>(kPanelRows, matrix_.rows - first)));
  }
}

void ScreenedHead::compute_from(float least, PartialRow& row, const Activations& x,
                                ScreenedScratch::Member& member) const {
  const std::size_t panels = matrix_.panels(), already = member.computed.size();
  for (std::size_t first = 0; first < panels; first += kBlockPanels) {
    if (row.upper_maxima[first / kBlockPanels] < least) continue;
    for (std::size_t p = first; p < std::min(first + kBlockPanels, panels); ++p) {
      const float* const upper = row.upper + p * kPanelRows;
      if (row.logits[p * kPanelRows] == kMasked &&
          std::any_of(upper, upper + kPanelRows, [&](float u) { return u >= least; })) {
        member.computed.push_back(static_cast<std::uint32_t>(p));
      }
    }
  }
  compute_listed(already, row, x, member);
}

void ScreenedHead::compute_largest(std::size_t count, PartialRow& row, const Activations& x,
                                   ScreenedScratch::Member& member) const {
  // As many blocks hold an upper bound of at least `near`; among what is computed then, the count-th largest
  // logit is no larger than that of the whole row.
  const std::size_t blocks = blocks_of(matrix_.rows);
  std::vector<float>& large = member.large;
  large.assign(row.upper_maxima, row.upper_maxima + blocks);
  const auto is_finite = [](float value) { return std::isfinite(value); };  // what selecting asks for
  const bool selects = count < blocks && std::all_of(large.begin(), large.end(), is_finite);
  const float near = selects ? select_largest(large, {}, static_cast<double>(count)).least : kMasked;
  compute_from(near, row, x, member);
  large.clear();
  for (const std::uint32_t panel : member.computed) {
    const std::size_t first = std::size_t{panel} * kPanelRows,
                      n = std::min<std::size_t>(kPanelRows, matrix_.rows - first);
    std::copy_if(row.logits + first, row.logits + first + n, std::back_inserter(large), is_finite);
  }
  if (large.size() < count) return compute_from(kMasked, row, x, member);
  const auto kth = large.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(large.begin(), kth, large.end(), std::greater<>());
  compute_from(round_down(static_cast<double>(*kth) - row.shift), row, x, member);
}

bool ScreenedHead::are_few(float least, std::size_t most, const PartialRow& row) const {
  const std::size_t panels = matrix_.panels();
  std::size_t count = 0;
  for (std::size_t first = 0; first < panels; first += kBlockPanels) {
    if (row.upper_maxima[first / kBlockPanels] < least) continue;
    for (std::size_t p = first; p < std::min(first + kBlockPanels, panels); ++p) {
      const float* const upper = row.upper + p * kPanelRows;
      count += std::any_of(upper, upper + kPanelRows, [&](float u) { return u >= least; }) ? 1 : 0;
    }
    if (count > most) return false;
  }
  return true;
}

/// Computes words until it is sure that the one that was drawn from all of them is in the nucleus: the
/// likelier ones weigh less than the nucleus's share of the words that are known, and so of all. False where
/// it is not sure.
bool ScreenedHead::shows_nucleus(float word, const Reach& reach, PartialRow& row, const Activations& x,
                                 ScreenedScratch::Member& member) const {
  const double factor = Candidates::weight_factor(1 / reach.temperature);
  const float most = kernels_.max(row.maxima, blocks_of(matrix_.rows));
  for (int look = 0; look < kNucleusLooks; ++look) {
    const float least =
        round_down(static_cast<double>(word) - look * kNucleusStep * reach.temperature - row.shift);
    if (!are_few(least, row.most / kNucleusShare, row)) return false;
    compute_from(least, row, x, member);
    double before = 0, sum = 0;
    std::array<float, kPanelRows> weights;
    for (const std::uint32_t panel : member.computed) {
      const std::size_t first = std::size_t{panel} * kPanelRows;
      const std::size_t n = std::min<std::size_t>(kPanelRows, matrix_.rows - first);
      sum += kernels_.exp_sum(row.logits + first, n, most, factor, weights.data());
      for (std::size_t i = 0; i < n; ++i) {
        if (row.logits[first + i] >= word) before += static_cast<double>(weights[i]);
      }
    }
    before -= kernels_.exp_sum(&word, 1, most, factor, nullptr);  // its own
    if (before * (1 + kSumRounding) + sum * kSumRounding < reach.mass * sum) return true;
  }
  return false;
}

float ScreenedHead::compute_drawn(const DrawKey& key, double factor, PartialRow& row, const Activations& x,
                                  ScreenedScratch::Member& member) const {
  // The largest key of what is computed, then everything whose bound could make a larger one.
  const std::size_t blocks = blocks_of(matrix_.rows);
  const double most = static_cast<double>(kernels_.max(row.maxima, blocks));
  const Noise noise(key);
  double best = -std::numeric_limits<double>::infinity();
  float drawn = kMasked;
  const auto meet = [&](std::size_t panel, const Noise::Block& block) {
    const std::size_t first = panel * kPanelRows, end = std::min(first + kPanelRows, matrix_.rows);
    for (std::size_t v = first; v < end; ++v) {
      const double value = factor * (static_cast<double>(row.logits[v]) - most);
      if (value + block.most < best) continue;
      const double own = value + noise.of(block, static_cast<std::int32_t>(v));
      if (!(own > best)) continue;
      best = own;
      drawn = row.logits[v];
    }
  };
  const std::size_t already = member.computed.size();
  for (std::size_t i = 0; i < already; ++i)
    meet(member.computed[i], noise.block(member.computed[i] / kBlockPanels));

  // A key that the bound allows, rounded up.
  const auto reach = [&](float upper, double with) {
    const double value = factor * (static_cast<double>(upper) + row.shift - most);
    return value + std::abs(value) * 1e-12 + with + 1e-12;
  };
  for (std::size_t b = 0; b < blocks; ++b) {
    if (reach(row.upper_maxima[b], kMostNoise) < best) continue;
    const Noise::Block block = noise.block(b);
    if (reach(row.upper_maxima[b], block.most) < best) continue;
    for (std::size_t p = b * kBlockPanels; p < std::min((b + 1) * kBlockPanels, matrix_.panels()); ++p) {
      if (row.logits[p * kPanelRows] != kMasked) continue;
      const std::size_t first = p * kPanelRows, end = std::min(first + kPanelRows, matrix_.rows);
      for (std::size_t v = first; v < end; ++v) {
        if (reach(row.upper[v], block.most) < best) continue;
        if (reach(row.upper[v], noise.of(block, static_cast<std::int32_t>(v))) < best) continue;
        member.computed.push_back(static_cast<std::uint32_t>(p));
        compute_listed(member.computed.size() - 1, row, x, member);
        meet(p, block);
        break;
      }
    }
  }
  return drawn;
}

}  // namespace

std::unique_ptr<OutputHead> make_screened_head(const PackedMatrix& matrix, const Screen& screen,
                                               Certificate certificate, const Kernels& kernels) {
  return std::make_unique<ScreenedHead>(matrix, screen, certificate, kernels);
}

}  // namespace partita
