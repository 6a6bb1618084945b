#include "sampling/heads/adaptive_parts.h"

#include <cmath>
#include <limits>

namespace partita::internal {
namespace {

/// The number of (row, part) pairs that are computed together: they share barriers, and pairs of one part
/// share its weights.
constexpr std::size_t kMinPairs = 64;

std::size_t widest(const OutputWeights& w) {
  std::size_t width = w.root.weight.cols;
  for (const Cluster& cluster : w.clusters) width = std::max(width, cluster.words.weight.cols);
  return width;
}

std::size_t largest(const OutputWeights& w) {
  std::size_t rows = w.root.weight.rows;
  for (const Cluster& cluster : w.clusters) rows = std::max(rows, cluster.words.weight.rows);
  return rows;
}

/// The number of floats of all parts of a row.
std::size_t row_floats(const OutputWeights& w) {
  std::size_t floats = whole_panels(w.root.weight.rows);
  for (const Cluster& cluster : w.clusters) floats += whole_panels(cluster.words.weight.rows);
  return floats;
}

bool has(const AlignedBytes& bytes) { return bytes.data() != nullptr; }
float* floats(AlignedBytes& bytes) { return reinterpret_cast<float*>(bytes.data()); }

/// The number of leading pairs with the same part; their rows are adjacent, as Activations require.
std::size_t run_of(std::span<const PartOfRow> pairs) {
  std::size_t n = 0;
  while (n < pairs.size() && pairs[n].part == pairs[0].part) ++n;
  return n;
}

}  // namespace

AdaptiveScratch::AdaptiveScratch(const OutputWeights& weights, std::size_t rows, int threads)
    : parts_(weights.clusters.size() + 1),
      pairs_(std::max(rows, kMinPairs)),
      width_(widest(weights)),
      hidden_(weights.hidden_size),
      tiles_(tiles_of(largest(weights))),
      values_(rows * parts_, nullptr),
      memory_(rows * row_floats(weights) * sizeof(float)),
      products_(pairs_, std::max(width_, hidden_), threads),
      gathered_(pairs_ * hidden_ * sizeof(float)),
      projected_(pairs_ * width_ * sizeof(float)),
      maxima_(pairs_ * tiles_),
      sums_(pairs_ * tiles_) {}

bool AdaptiveScratch::ok() const {
  return has(memory_) && products_.ok() && has(gathered_) && has(projected_);
}

void AdaptiveScratch::clear() {
  std::fill(values_.begin(), values_.end(), nullptr);
  used_ = 0;
}

float* AdaptiveScratch::take(std::size_t n) {
  float* const at = floats(memory_) + used_;
  used_ += n;
  return at;
}

AdaptiveParts::AdaptiveParts(const OutputWeights& weights, const Kernels& kernels)
    : weights_(weights), kernels_(kernels) {}

const Linear& AdaptiveParts::projection(std::size_t part) const {
  return part == 0 ? weights_.projection : weights_.clusters[part - 1].projection;
}

const Linear& AdaptiveParts::rows(std::size_t part) const {
  return part == 0 ? weights_.root : weights_.clusters[part - 1].words;
}

std::size_t AdaptiveParts::words(std::size_t part) const {
  return part == 0 ? weights_.shortlist : rows(part).weight.rows;
}

std::size_t AdaptiveParts::first_rank(std::size_t part) const {
  return part == 0 ? 0 : weights_.clusters[part - 1].begin;
}

std::size_t AdaptiveParts::part_of(std::size_t rank) const {
  const auto after =
      std::upper_bound(weights_.clusters.begin(), weights_.clusters.end(), rank,
                       [](std::size_t p, const Cluster& cluster) { return p < cluster.begin; });
  return static_cast<std::size_t>(after - weights_.clusters.begin());
}

std::size_t AdaptiveParts::bytes(std::size_t part) const {
  return projection(part).bytes() + rows(part).bytes();
}

double AdaptiveParts::log_probability(std::size_t row, std::size_t part, AdaptiveScratch& scratch) const {
  if (part == 0) return 0;
  return static_cast<double>(scratch.values(row, 0)[weights_.shortlist + part - 1]);
}

void AdaptiveParts::compute(const Worker& worker, std::span<const PartOfRow> requested, const float* hidden,
                            AdaptiveScratch& scratch) const {
  while (!requested.empty()) {
    const std::size_t n = std::min(requested.size(), scratch.pairs_);
    compute_some(worker, requested.first(n), hidden, scratch);
    requested = requested.subspan(n);
  }
}

void AdaptiveParts::compute_some(const Worker& worker, std::span<const PartOfRow> requested,
                                 const float* hidden, AdaptiveScratch& scratch) const {
  const std::size_t n = requested.size();
  float* const gathered = floats(scratch.gathered_);
  float* const projected = floats(scratch.projected_);
  const auto [mine, end] = worker.share(n);
  for (std::size_t i = mine; i < end; ++i) {
    std::copy_n(hidden + requested[i].row * scratch.hidden_, scratch.hidden_, gathered + i * scratch.hidden_);
  }
  if (worker.index == 0) {
    for (const PartOfRow& pair : requested) {
      scratch.values_[pair.row * scratch.parts_ + pair.part] =
          scratch.take(whole_panels(rows(pair.part).weight.rows));
    }
  }
  worker.wait();

  // Each run of pairs is one product, with its projection before it.
  for (std::size_t first = 0, count = 0; first < n; first += count) {
    count = run_of(requested.subspan(first));
    const std::size_t part = requested[first].part;
    const Linear& words = rows(part);
    const float* from = gathered + first * scratch.hidden_;
    if (projection(part).weight.rows != 0) {
      float* const to = projected + first * scratch.width_;
      multiply(worker, projection(part), scratch.products_.view(from, count, scratch.hidden_), kernels_,
               scratch.products_, {to, words.weight.cols});
      from = to;
    }
    const Activations x = scratch.products_.view(from, count, words.weight.cols);
    // take() made the rows of a run adjacent.
    multiply(worker, words, x, kernels_, scratch.products_,
             {scratch.values(requested[first].row, part), whole_panels(words.weight.rows),
              scratch.maxima_.data() + first * scratch.tiles_, scratch.tiles_});
  }

  const auto for_my_tiles = [&](auto&& visit) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t size = rows(requested[i].part).weight.rows;
      const auto [begin, last] = worker.share(tiles_of(size));
      float* const values = scratch.values(requested[i].row, requested[i].part);
      const float most = kernels_.max(scratch.maxima_.data() + i * scratch.tiles_, tiles_of(size));
      for (std::size_t b = begin; b < last; ++b) {
        visit(i, b, most, std::span(values + b * kLogitTile, std::min(kLogitTile, size - b * kLogitTile)));
      }
    }
  };
  for_my_tiles([&](std::size_t i, std::size_t b, float most, std::span<float> values) {
    scratch.sums_[i * scratch.tiles_ + b] = kernels_.exp_sum(values.data(), values.size(), most, 1, nullptr);
  });
  worker.wait();
  std::size_t summed = n;  // the pair whose `shift` is current
  double shift = 0;
  for_my_tiles([&](std::size_t i, std::size_t, float most, std::span<float> values) {
    if (i != summed) {
      double sum = 0;
      const double* const sums = scratch.sums_.data() + i * scratch.tiles_;
      for (std::size_t k = 0; k < tiles_of(rows(requested[i].part).weight.rows); ++k) sum += sums[k];
      // At least 1, so that no word is likelier than its cluster.
      shift = log_probability(requested[i].row, requested[i].part, scratch) - std::log(std::max(sum, 1.0)) -
              static_cast<double>(most);
      summed = i;
    }
    for (float& v : values) v = static_cast<float>(static_cast<double>(v) + shift);
  });
  worker.wait();
}

}  // namespace partita::internal
