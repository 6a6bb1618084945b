#include "engine/adapter.h"

#include <algorithm>
#include <bit>
#include <span>

#include "weights/hash.h"

namespace partita::internal {

std::shared_ptr<const AdapterSet> AdapterSet::make(std::vector<ScaledAdapter> adapters) {
  std::erase_if(adapters, [](const ScaledAdapter& one) { return one.scale == 0; });
  if (adapters.empty()) return nullptr;
  std::shared_ptr<AdapterSet> set(new AdapterSet);
  Hash64 hash;
  for (const ScaledAdapter& one : adapters) {
    const std::uint64_t words[] = {one.adapter->digest(), std::bit_cast<std::uint32_t>(one.scale)};
    hash.add(std::as_bytes(std::span(words)));
    set->max_rank_ = std::max(set->max_rank_, one.adapter->max_rank());
    set->max_size_ = std::max(set->max_size_, one.adapter->max_size());
  }
  set->key_ = std::max<std::uint64_t>(hash.sum(), 1);
  set->adapters_ = std::move(adapters);
  return set;
}

bool AdapterSet::changes(std::uint32_t linear) const {
  return std::any_of(adapters_.begin(), adapters_.end(),
                     [&](const ScaledAdapter& one) { return one.adapter->changes(linear); });
}

void AdapterSet::add_embedding(std::uint32_t token, std::size_t hidden, float* out) const {
  for (const ScaledAdapter& one : adapters_) {
    const EmbeddingChange& change = one.adapter->embedding();
    const float* const a = change.a.data() + token * change.rank;
    const float scale = one.scale * change.scale;
    for (std::size_t h = 0; change.rank > 0 && h < hidden; ++h) {
      float sum = 0;
      for (std::size_t k = 0; k < change.rank; ++k) sum += change.b[h * change.rank + k] * a[k];
      out[h] += scale * sum;
    }
  }
}

bool AdapterScratch::grow_to(const AdapterSet& set) {
  const std::size_t rank = std::max(rank_, set.max_rank()), size = std::max(size_, set.max_size());
  if (rank == rank_ && size == size_) return true;
  AlignedBytes inner(kAdapterRows * rank * sizeof(float)), out(kAdapterRows * size * sizeof(float)),
      matmul(matmul_scratch_bytes(std::max(rank, size)));
  if (inner.data() == nullptr || out.data() == nullptr || (matmul.size() > 0 && matmul.data() == nullptr))
    return false;
  rank_ = rank;
  size_ = size;
  inner_ = std::move(inner);
  out_ = std::move(out);
  matmul_ = std::move(matmul);
  return true;
}

void add_changes(const Kernels& kernels, const AdapterSet& set, const Linear& linear, const float* x,
                 std::size_t rows, PanelRange panels, float* out, std::size_t ld, AdapterScratch& scratch) {
  const std::size_t cols = linear.weight.cols, width = linear.weight.rows;
  const std::size_t first = std::min(panels.first * kPanelRows, width),
                    count = std::min(panels.last * kPanelRows, width) - first;
  auto* const inner = reinterpret_cast<float*>(scratch.inner_.data());
  auto* const outer = reinterpret_cast<float*>(scratch.out_.data());
  for (const ScaledAdapter& one : set.adapters()) {
    const LinearChange& change = one.adapter->change_of(linear.index);
    if (change.empty()) continue;
    const std::size_t rank = change.a.rows;
    const float scale = one.scale * change.scale;
    for (std::size_t r = 0; r < rows; r += kAdapterRows) {
      const std::size_t n = std::min(kAdapterRows, rows - r);
      kernels.matmul(change.a, {0, change.a.panels()}, {.rows = n, .cols = cols, .values = x + r * cols},
                     inner, rank, scratch.matmul_.data());
      for (std::size_t i = 0; i < n * rank; ++i) inner[i] *= scale;
      kernels.matmul(change.b, panels, {.rows = n, .cols = rank, .values = inner}, outer, width,
                     scratch.matmul_.data());
      for (std::size_t i = 0; i < n; ++i)
        kernels.add(outer + i * width + first, count, out + (r + i) * ld + first);
    }
  }
}

}  // namespace partita::internal
