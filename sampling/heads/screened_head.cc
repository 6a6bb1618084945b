// The screened LM head (screen.h): computes bounds of all logits from a quarter of the bytes, then the exact
// logits of those that the bounds do not rule out. All others are masked in the row from which the question
// is answered, by the same code as for full rows.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>

#include "engine/kernels/parallel.h"
#include "sampling/chain/noise.h"
#include "sampling/heads/heads.h"
#include "sampling/heads/products.h"
#include "sampling/heads/row_answer.h"
#include "sampling/heads/split_head.h"
#include "weights/catch_all.h"

namespace partita::internal {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

/// Rows that share each read of the screen.
constexpr std::size_t kMaxRows = 16;

/// Beyond these limits a screen saves little.
constexpr std::size_t kMaxCount = 1024;
constexpr std::size_t kMaxLowered =
    128;  // with more, too many logits would be computed for the screen to save time
constexpr double kMaxDistance = 12;

/// One worker computes the listed panels of a row, but all workers share a full row: if more than
/// 1 / (kPanelShare * workers) of the panels are not ruled out, the full row takes less time.
constexpr std::size_t kPanelShare = 2;
/// To prove that a word is in the nucleus: the fraction 1 / kNucleusShare of those panels may be computed;
/// each further attempt goes kNucleusStep nats lower, at most kNucleusAttempts times.
constexpr std::size_t kNucleusShare = 2;
constexpr double kNucleusStep = 3;
constexpr int kNucleusAttempts = 3;
/// An upper bound of the relative difference between float sums of weights over a vocabulary in any order.
constexpr double kSumRounding = 1e-5;

/// Far above hidden states of any model, and far below the overflow of the screen's arithmetic.
constexpr float kMaxHidden = 1e6F;

/// The largest float not above x.
float round_down(double x) {
  const auto near = static_cast<float>(x);
  return static_cast<double>(near) <= x ? near : std::nextafter(near, kMasked);
}

/// A row of logits; those not computed are masked.
struct PartialRow {
  float* logits = nullptr;              // [panels * 16], kMasked
  float* maxima = nullptr;              // [tiles], kMasked
  const float* upper = nullptr;         // [panels * 16]: of logits less shift
  const float* upper_maxima = nullptr;  // [tiles]
  double shift = 0;
  float lower = 0;       // a lower bound of the largest logit, less shift
  std::size_t most = 0;  // the limit of panels to compute
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
      : rows(std::clamp<std::size_t>(max_rows, 1, kMaxRows)),
        ld(matrix.panels() * kPanelRows),
        tiles(tiles_of(matrix.rows)),
        buffer(rows, matrix.cols),
        inputs(rows * matrix.cols),
        query(rows, matrix.cols),
        upper(rows * ld * sizeof(float)),
        logits(rows * ld * sizeof(float)),
        upper_maxima(rows * tiles),
        maxima(rows * tiles, kMasked),
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

  const std::size_t rows, ld, tiles;
  ActivationBuffer buffer;    // [rows][hidden]
  std::vector<float> inputs;  // [rows][hidden]: product_input()
  ScreenQueries query;
  AlignedBytes upper, logits;               // [rows][ld]
  std::vector<float> upper_maxima, maxima;  // [rows][tiles]
  Team team;
  std::vector<Member> members;
};

class ScreenedHead : public SplitHead {
 public:
  ScreenedHead(const LinearView& matrix, const Screen& screen, Certificate certificate,
               const Kernels& kernels)
      : SplitHead(make_dense_head(matrix, kernels)),
        matrix_(matrix.weight),
        screen_(screen),
        certificate_(certificate),
        kernels_(kernels) {}

  std::size_t bytes_per_row() const override { return screen_.panels().bytes(); }

 protected:
  Route route(const Question& question) const override;
  std::unique_ptr<HeadScratch> make_few_scratch(std::size_t max_rows, int threads) const override {
    auto scratch = std::make_unique<ScreenedScratch>(matrix_, max_rows, threads);
    if (!scratch->complete()) return nullptr;
    return scratch;
  }
  void answer_few(std::span<const Question> questions, HeadScratch& scratch,
                  std::span<Result<Answer>> answers) const override;

 private:
  /// Makes the queries of n rows of the scratch and writes the bounds of their logits; all workers call it
  /// together. Returns the number of workers that wrote bounds.
  int compute_bounds(const Worker& worker, std::size_t n, ScreenedScratch& scratch) const;
  /// After compute_bounds() by `workers` workers.
  Result<Answer> answer_from(const Question& question, std::size_t r, ScreenedScratch& scratch, int workers,
                             ScreenedScratch::Member& member) const;

  /// Masks the computed logits of a row again.
  void mask_computed(std::size_t r, ScreenedScratch& scratch, ScreenedScratch::Member& member) const;

  /// Computes the logits of every panel that has an upper bound of at least `least`.
  void compute_from(float least, PartialRow& row, const Activations& x,
                    ScreenedScratch::Member& member) const;
  /// Computes the logits of the panels that member.computed lists from `from` on.
  void compute_listed(std::size_t from, PartialRow& row, const Activations& x,
                      ScreenedScratch::Member& member) const;
  void compute_largest(std::size_t count, PartialRow& row, const Activations& x,
                       ScreenedScratch::Member& member) const;
  /// The logit of the drawn word; computes every word that could be drawn.
  float compute_drawn(const DrawKey& key, double factor, PartialRow& row, const Activations& x,
                      ScreenedScratch::Member& member) const;
  bool proves_in_nucleus(float word, const LogitsNeeded& needed, PartialRow& row, const Activations& x,
                         ScreenedScratch::Member& member) const;
  /// Whether at most `most` panels have an upper bound of at least `least`.
  bool has_few_panels(float least, std::size_t most, const PartialRow& row) const;

  const PackedMatrix& matrix_;
  const Screen& screen_;
  Certificate certificate_;
  const Kernels& kernels_;
};

Route ScreenedHead::route(const Question& question) const {
  if (question.chain == nullptr || question.negative != nullptr || asks_for_more(question) ||
      !question.score.empty()) {
    return Route::kFullRow;  // chooses the same token
  }
  const LogitsNeeded needed = logits_needed(question);
  if (needed.kind == LogitsNeeded::kAll ||
      (needed.kind == LogitsNeeded::kLargest && needed.count > kMaxCount) || needed.lowered > kMaxLowered ||
      (needed.kind == LogitsNeeded::kNear && !(needed.distance <= kMaxDistance))) {
    return Route::kFullRow;
  }
  // The plain head reports bad numbers.
  const bool good = std::all_of(question.hidden, question.hidden + matrix_.cols,
                                [](float x) { return std::abs(x) <= kMaxHidden; });
  return good ? Route::kFewLogits : Route::kFullRow;
}

void ScreenedHead::answer_few(std::span<const Question> questions, HeadScratch& head_scratch,
                              std::span<Result<Answer>> answers) const {
  auto& scratch = static_cast<ScreenedScratch&>(head_scratch);
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < questions.size(); first += scratch.rows) {
      const auto chunk = questions.subspan(first, std::min(scratch.rows, questions.size() - first));
      const auto [first_copied, last_copied] = worker.share(chunk.size());
      for (std::size_t r = first_copied; r < last_copied; ++r) {
        std::copy_n(chunk[r].hidden, matrix_.cols, scratch.buffer.values() + r * matrix_.cols);
      }
      worker.wait();
      const int workers = compute_bounds(worker, chunk.size(), scratch);
      const auto [mine, end] = worker.share(chunk.size());
      ScreenedScratch::Member& member = scratch.members[static_cast<std::size_t>(worker.index)];
      for (std::size_t r = mine; r < end; ++r) {
        answers[first + r] = catch_all([&] { return answer_from(chunk[r], r, scratch, workers, member); });
        mask_computed(r, scratch, member);
      }
      worker.wait();  // the next rows overwrite these
    }
  });
}

int ScreenedHead::compute_bounds(const Worker& worker, std::size_t n, ScreenedScratch& scratch) const {
  make_queries(worker, matrix_, screen_, certificate_, scratch.buffer.view(n, matrix_.cols), kernels_,
               scratch.inputs.data(), scratch.query);
  const ScreenPanels panels = screen_.panels();
  const auto [first, last] = worker.share(panels.panels(), kTilePanels);
  float* const lower = scratch.members[static_cast<std::size_t>(worker.index)].lower.data();
  std::fill_n(lower, n, kMasked);
  for (std::size_t p = first; p < last; p += kTilePanels) {
    const std::size_t stop = std::min(p + kTilePanels, last), tile = p / kTilePanels;
    kernels_.screen(panels, p, stop, scratch.query.query(n), scratch.upper_row(0), scratch.ld, lower);
    for (std::size_t r = 0; r < n; ++r) {
      scratch.upper_maxima[r * scratch.tiles + tile] =
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
                 scratch.maxima.data() + r * scratch.tiles,
                 scratch.upper_row(r),
                 scratch.upper_maxima.data() + r * scratch.tiles,
                 screen_.shift(scratch.inputs.data() + r * matrix_.cols),
                 kMasked,
                 matrix_.panels() / (kPanelShare * static_cast<std::size_t>(workers))};
  for (int w = 0; w < workers; ++w) {
    row.lower = std::max(row.lower, scratch.members[static_cast<std::size_t>(w)].lower[r]);
  }
  const Activations x = scratch.buffer.view(scratch.rows, matrix_.cols).from(r);

  if (!has_few_panels(row.lower, row.most, row)) {
    Answer undecided;
    undecided.choice.id = kUndecided;
    undecided.head_bytes = screen_.panels().bytes();
    return undecided;
  }
  compute_from(row.lower, row, x, member);  // includes the largest logit
  const auto largest = [&] { return kernels_.max(row.maxima, scratch.tiles); };
  const LogitsNeeded needed = logits_needed(question);
  bool decided = true;
  switch (needed.kind) {
    case LogitsNeeded::kLargest:
      if (needed.count > 1) compute_largest(needed.count, row, x, member);
      break;
    case LogitsNeeded::kNear:
      compute_from(round_down(static_cast<double>(largest()) - needed.distance - row.shift), row, x, member);
      break;
    case LogitsNeeded::kEach:
      compute_drawn(question.key, Candidates::weight_factor(1 / needed.temperature), row, x, member);
      break;
    case LogitsNeeded::kNucleus: {
      const double factor = Candidates::weight_factor(1 / needed.temperature);
      decided =
          proves_in_nucleus(compute_drawn(question.key, factor, row, x, member), needed, row, x, member);
      break;
    }
    case LogitsNeeded::kLower:
    case LogitsNeeded::kAll:
      break;  // not reached: see route()
  }

  const LogitRow own{{row.logits, matrix_.rows}, {row.maxima, scratch.tiles}};
  Result<Answer> answer = Answer{};
  if (decided) {
    answer = answer_row(question, own, own, kernels_, member.candidates);
  } else {
    answer->choice.id = kUndecided;
  }
  if (answer) answer->head_bytes = screen_.panels().bytes() + member.computed.size() * matrix_.panel_bytes();
  return answer;
}

void ScreenedHead::mask_computed(std::size_t r, ScreenedScratch& scratch,
                                 ScreenedScratch::Member& member) const {
  for (const std::uint32_t panel : member.computed) {
    std::fill_n(scratch.logit_row(r) + std::size_t{panel} * kPanelRows, kPanelRows, kMasked);
    scratch.maxima[r * scratch.tiles + panel / kTilePanels] = kMasked;
  }
  member.computed.clear();
}

void ScreenedHead::compute_listed(std::size_t from, PartialRow& row, const Activations& x,
                                  ScreenedScratch::Member& member) const {
  const std::span<const std::uint32_t> listed = std::span(member.computed).subspan(from);
  multiply_listed(matrix_, listed, x, kernels_, member.matmul.data(), row.logits);
  for (const std::uint32_t panel : listed) {
    const std::size_t first = std::size_t{panel} * kPanelRows;
    float& most = row.maxima[panel / kTilePanels];
    most = std::max(
        most, kernels_.max(row.logits + first, std::min<std::size_t>(kPanelRows, matrix_.rows - first)));
  }
}

void ScreenedHead::compute_from(float least, PartialRow& row, const Activations& x,
                                ScreenedScratch::Member& member) const {
  const std::size_t panels = matrix_.panels(), already = member.computed.size();
  for (std::size_t first = 0; first < panels; first += kTilePanels) {
    if (row.upper_maxima[first / kTilePanels] < least) continue;
    for (std::size_t p = first; p < std::min(first + kTilePanels, panels); ++p) {
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
  // At least `count` tiles have an upper bound of at least `near`. Among the logits computed then, the
  // count-th largest is at most that of the full row.
  const std::size_t tiles = tiles_of(matrix_.rows);
  std::vector<float>& large = member.large;
  large.assign(row.upper_maxima, row.upper_maxima + tiles);
  const auto is_finite = [](float value) { return std::isfinite(value); };  // select_largest() needs it
  const bool selects = count < tiles && std::all_of(large.begin(), large.end(), is_finite);
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

bool ScreenedHead::has_few_panels(float least, std::size_t most, const PartialRow& row) const {
  const std::size_t panels = matrix_.panels();
  std::size_t count = 0;
  for (std::size_t first = 0; first < panels; first += kTilePanels) {
    if (row.upper_maxima[first / kTilePanels] < least) continue;
    for (std::size_t p = first; p < std::min(first + kTilePanels, panels); ++p) {
      const float* const upper = row.upper + p * kPanelRows;
      count += std::any_of(upper, upper + kPanelRows, [&](float u) { return u >= least; }) ? 1 : 0;
    }
    if (count > most) return false;
  }
  return true;
}

/// Computes words until they prove that the word drawn from all words is in the nucleus: the likelier words
/// weigh less than the nucleus's share of the known words, and therefore of all. False if that is not proven.
bool ScreenedHead::proves_in_nucleus(float word, const LogitsNeeded& needed, PartialRow& row,
                                     const Activations& x, ScreenedScratch::Member& member) const {
  const double factor = Candidates::weight_factor(1 / needed.temperature);
  const float most = kernels_.max(row.maxima, tiles_of(matrix_.rows));
  for (int attempt = 0; attempt < kNucleusAttempts; ++attempt) {
    const float least =
        round_down(static_cast<double>(word) - attempt * kNucleusStep * needed.temperature - row.shift);
    if (!has_few_panels(least, row.most / kNucleusShare, row)) return false;
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
    if (before * (1 + kSumRounding) + sum * kSumRounding < needed.mass * sum) return true;
  }
  return false;
}

float ScreenedHead::compute_drawn(const DrawKey& key, double factor, PartialRow& row, const Activations& x,
                                  ScreenedScratch::Member& member) const {
  // The largest key (logit / T + noise) of the computed words, then every word whose bound allows a larger
  // one.
  const std::size_t tiles = tiles_of(matrix_.rows);
  const double most = static_cast<double>(kernels_.max(row.maxima, tiles));
  const Noise noise(key);
  double best = -std::numeric_limits<double>::infinity();
  float drawn = kMasked;
  const auto consider = [&](std::size_t panel, const NoiseTile& tile) {
    const std::size_t first = panel * kPanelRows, end = std::min(first + kPanelRows, matrix_.rows);
    for (std::size_t v = first; v < end; ++v) {
      const double value = factor * (static_cast<double>(row.logits[v]) - most);
      if (value + tile.most < best) continue;
      const double own = value + noise.of(tile, static_cast<std::int32_t>(v));
      if (!(own > best)) continue;
      best = own;
      drawn = row.logits[v];
    }
  };
  const std::size_t already = member.computed.size();
  for (std::size_t i = 0; i < already; ++i)
    consider(member.computed[i], noise.tile(member.computed[i] / kTilePanels));

  // The largest key that an upper bound allows, rounded up.
  const auto key_bound = [&](float upper, double with) {
    const double value = factor * (static_cast<double>(upper) + row.shift - most);
    return value + std::abs(value) * 1e-12 + with + 1e-12;
  };
  for (std::size_t b = 0; b < tiles; ++b) {
    if (key_bound(row.upper_maxima[b], kMaxNoise) < best) continue;
    const NoiseTile tile = noise.tile(b);
    if (key_bound(row.upper_maxima[b], tile.most) < best) continue;
    for (std::size_t p = b * kTilePanels; p < std::min((b + 1) * kTilePanels, matrix_.panels()); ++p) {
      if (row.logits[p * kPanelRows] != kMasked) continue;
      const std::size_t first = p * kPanelRows, end = std::min(first + kPanelRows, matrix_.rows);
      for (std::size_t v = first; v < end; ++v) {
        if (key_bound(row.upper[v], tile.most) < best) continue;
        if (key_bound(row.upper[v], noise.of(tile, static_cast<std::int32_t>(v))) < best) continue;
        member.computed.push_back(static_cast<std::uint32_t>(p));
        compute_listed(member.computed.size() - 1, row, x, member);
        consider(p, tile);
        break;
      }
    }
  }
  return drawn;
}

}  // namespace

std::unique_ptr<OutputHead> make_screened_head(const LinearView& matrix, const Screen& screen,
                                               Certificate certificate, const Kernels& kernels) {
  return std::make_unique<ScreenedHead>(matrix, screen, certificate, kernels);
}

}  // namespace partita::internal
