// The budgeted head, an approximation: a row of estimates from a screen (screen.h), in which the logits of
// the words with the largest estimates are exact. The error is not bounded; it is measured
// (Session::score_against, bench).
#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "sampling/heads/heads.h"
#include "sampling/heads/products.h"
#include "sampling/heads/row_head.h"
#include "sampling/heads/screen.h"

namespace partita::internal {
namespace {

/// Rows that share each read of the screen.
constexpr std::size_t kMaxRows = 16;

float* floats(AlignedBytes& bytes) { return reinterpret_cast<float*>(bytes.data()); }

class BudgetedScratch : public SourceScratch {
 public:
  BudgetedScratch(const PackedMatrix& matrix, std::size_t most_rows, int threads)
      : rows(std::min(most_rows, kMaxRows)),
        ld(whole_panels(matrix.rows)),
        products(rows, matrix.cols, threads),
        inputs(rows * matrix.cols),
        query(rows, matrix.cols),
        estimates(rows * ld * sizeof(float)),
        lower(static_cast<std::size_t>(threads), std::vector<float>(rows)),
        maxima(static_cast<std::size_t>(threads), std::vector<float>(2 * matrix.panels())),
        listed(static_cast<std::size_t>(threads)) {}

  const std::size_t rows, ld;
  ProductScratch products;
  std::vector<float> inputs;  // [rows][hidden]: product_input()
  ScreenQueries query;
  AlignedBytes estimates;                          // [rows][ld], of logits less Screen::shift()
  std::vector<std::vector<float>> lower;           // [threads][rows]: lower bounds of the kernel, unused
  std::vector<std::vector<float>> maxima;          // [threads][2][panels]
  std::vector<std::vector<std::uint32_t>> listed;  // [threads]: panels to compute
};

class BudgetedSource : public LogitSource {
 public:
  BudgetedSource(const PackedMatrix& matrix, const Screen& screen, std::size_t panels, const Kernels& kernels)
      : matrix_(matrix), screen_(screen), panels_(std::min(panels, matrix.panels())), kernels_(kernels) {}

  std::size_t vocab_size() const override { return matrix_.rows; }
  std::size_t hidden_size() const override { return matrix_.cols; }
  std::size_t bytes() const override { return screen_.panels().bytes() + panels_ * matrix_.panel_bytes(); }

  std::unique_ptr<SourceScratch> make_scratch(std::size_t rows, int threads) const override {
    auto scratch = std::make_unique<BudgetedScratch>(matrix_, rows, threads);
    if (!scratch->products.ok() || scratch->estimates.data() == nullptr) return nullptr;
    return scratch;
  }

  void rows(const Worker& worker, const float* hidden, std::size_t rows, SourceScratch& scratch,
            const RowOutput& out) const override {
    auto& own = static_cast<BudgetedScratch&>(scratch);
    for (std::size_t first = 0; first < rows; first += own.rows) {
      RowOutput part = out;
      part.logits += first * out.ld;
      if (out.maxima != nullptr) part.maxima += first * out.tiles;
      some_rows(worker, hidden + first * matrix_.cols, std::min(own.rows, rows - first), own, part);
    }
  }

 private:
  void some_rows(const Worker& worker, const float* hidden, std::size_t n, BudgetedScratch& scratch,
                 const RowOutput& out) const;
  void compute_likeliest(const Worker& worker, const Activations& x, std::vector<float>& maxima,
                         BudgetedScratch& scratch, float* logits) const;

  const PackedMatrix& matrix_;
  const Screen& screen_;
  const std::size_t panels_;  // computed in each row
  const Kernels& kernels_;
};

void BudgetedSource::some_rows(const Worker& worker, const float* hidden, std::size_t n,
                               BudgetedScratch& scratch, const RowOutput& out) const {
  const std::size_t cols = matrix_.cols;
  const Activations x = scratch.products.view(hidden, n, cols);
  make_queries(worker, matrix_, screen_, Certificate::kNone, x, kernels_, scratch.inputs.data(),
               scratch.query);
  const ScreenPanels panels = screen_.panels();
  const auto [first, last] = worker.share(panels.panels(), kTilePanels);
  kernels_.screen(panels, first, last, scratch.query.query(n), floats(scratch.estimates), scratch.ld,
                  scratch.lower[static_cast<std::size_t>(worker.index)].data());
  worker.wait();

  const auto [mine, end] = worker.share(n);
  std::vector<float>& maxima = scratch.maxima[static_cast<std::size_t>(worker.index)];
  for (std::size_t r = mine; r < end; ++r) {
    const float* const estimates = floats(scratch.estimates) + r * scratch.ld;
    float* const logits = out.logits + r * out.ld;
    const double shift = screen_.shift(scratch.inputs.data() + r * cols);
    for (std::size_t i = 0; i < matrix_.rows; ++i) {
      logits[i] = static_cast<float>(static_cast<double>(estimates[i]) + shift);
    }
    compute_likeliest(worker, x.from(r), maxima, scratch, logits);
    if (out.maxima != nullptr)
      tile_maxima({logits, matrix_.rows}, {out.maxima + r * out.tiles, out.tiles}, kernels_);
  }
  worker.wait();
}

/// Computes the panels with the largest estimates; the first panels win a tie.
void BudgetedSource::compute_likeliest(const Worker& worker, const Activations& x, std::vector<float>& maxima,
                                       BudgetedScratch& scratch, float* logits) const {
  const std::size_t all = matrix_.panels();
  const std::span<float> of_panel(maxima.data(), all), ordered(maxima.data() + all, all);
  for (std::size_t p = 0; p < all; ++p) {
    const std::size_t id = p * kPanelRows;
    of_panel[p] = kernels_.max(logits + id, std::min<std::size_t>(kPanelRows, matrix_.rows - id));
  }
  if (std::any_of(of_panel.begin(), of_panel.end(), [](float most) { return std::isnan(most); })) {
    return;  // the row is bad; its answer reports it
  }
  std::copy(of_panel.begin(), of_panel.end(), ordered.begin());
  const auto least = ordered.begin() + static_cast<std::ptrdiff_t>(panels_ - 1);
  std::nth_element(ordered.begin(), least, ordered.end(), std::greater<>());
  const auto above = static_cast<std::size_t>(
      std::count_if(of_panel.begin(), of_panel.end(), [&](float most) { return most > *least; }));
  std::vector<std::uint32_t>& listed = scratch.listed[static_cast<std::size_t>(worker.index)];
  listed.clear();
  std::size_t ties = panels_ - std::min(panels_, above);
  for (std::size_t p = 0; p < all; ++p) {
    if (of_panel[p] < *least) continue;
    if (of_panel[p] == *least) {
      if (ties == 0) continue;
      --ties;
    }
    listed.push_back(static_cast<std::uint32_t>(p));
  }
  multiply_listed(matrix_, listed, x, kernels_, scratch.products.of(worker), logits);
}

}  // namespace

std::unique_ptr<OutputHead> make_budgeted_head(const PackedMatrix& matrix, const Screen& screen,
                                               std::size_t words, const Kernels& kernels) {
  const std::size_t panels = std::max<std::size_t>((words + kPanelRows - 1) / kPanelRows, 1);
  return make_row_head(std::make_unique<BudgetedSource>(matrix, screen, panels, kernels), kernels);
}

}  // namespace partita::internal
