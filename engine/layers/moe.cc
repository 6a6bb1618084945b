#include "engine/layers/moe.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/layers/products.h"

namespace partita::internal {
namespace {

/// One expert and the rows that go through it: pairs [first, last) of MoeBuffers.
struct Job {
  const Ffn& expert;
  std::size_t first, last;
  std::size_t rows() const { return last - first; }
};

/// Activations of consecutive pairs, with the columns of their expert.
Activations block_of(ActivationBuffer& buffer, std::size_t pairs, std::size_t widest, std::size_t first,
                     std::size_t rows, std::size_t cols) {
  Activations all = buffer.view(pairs, widest);
  const std::size_t groups = widest / kGroupCols + 1;
  return {.rows = rows,
          .cols = cols,
          .values = buffer.values() + first * widest,
          .q = all.q + first * (widest + kGroupCols),
          .scale = all.scale + first,
          .sum = all.sum + first * groups,
          .crossed = all.crossed + first * groups};
}

/// A mixture of experts in one step.
class Mixing {
 public:
  Mixing(const Worker& worker, Workspace& ws, const Moe& moe)
      : worker_(worker), ws_(ws), moe_(moe), buffers_(ws.moe), kernels_(ws.model.kernels()) {}

  void run(const Norm& norm, FloatBuffer& input) {
    read_rows(norm, input);
    choose();
    gather();
    const auto inner = [&](const Job& job, auto&& product) {
      float* gate = buffers_.gate.row(job.first);
      product(job.expert.gated() ? job.expert.gate : job.expert.up, gate);
      if (job.expert.gated()) product(job.expert.up, buffers_.up.row(job.first));
    };
    multiply(inner, [&](const Job& job) { return input_of(job); });
    activate();
    multiply([&](const Job& job, auto&& product) { product(job.expert.down, buffers_.out.row(job.first)); },
             [&](const Job& job) { return hidden_of(job); });
    combine();
  }

 private:
  std::size_t rows() const { return ws_.rows.size(); }
  std::size_t hidden() const { return ws_.x.cols(); }
  std::size_t used() const { return moe_.routing.used; }
  /// Pairs of chosen experts, then one a row for the shared expert.
  std::size_t routed_pairs() const { return rows() * used(); }
  std::size_t pairs() const { return routed_pairs() + (moe_.has_shared() ? rows() : 0); }

  /// norm(x) of all rows, in every form; then the logits of the router, and of the shared expert's gate.
  void read_rows(const Norm& norm, FloatBuffer& input) {
    const Activations x = rows_view();
    const auto [first, last] = worker_.share(rows());
    for (std::size_t r = first; r < last; ++r) {
      float* row = buffers_.rows.values() + r * hidden();
      apply(ws_, norm, input.row(r), row);
      if (hidden() % kGroupCols == 0) kernels_.quantize(x, r, r + 1);
    }
    worker_.wait();
    for (const auto& [linear, out] :
         {std::pair{&moe_.router, &buffers_.router}, std::pair{&moe_.shared_gate, &buffers_.shared_gate}}) {
      const PackedMatrix& matrix = linear->weight;
      if (matrix.rows == 0) continue;
      const auto [from, to] = worker_.share(matrix.panels());
      if (from < to) {
        kernels_.matmul(matrix, {from, to}, x, out->row(0, matrix.rows), matrix.rows, scratch());
        if (!linear->bias.empty()) {
          const std::size_t begin = from * kPanelRows, end = std::min(to * kPanelRows, matrix.rows);
          for (std::size_t r = 0; r < rows(); ++r)
            kernels_.add(linear->bias.data() + begin, end - begin, out->row(r, matrix.rows) + begin);
        }
      }
    }
    worker_.wait();
  }

  Activations rows_view() {
    Activations x = buffers_.rows.view(rows(), hidden());
    x.values = buffers_.rows.values();
    return x;
  }

  /// Chooses the experts of each row; then sorts the pairs by expert.
  void choose() {
    const auto [first, last] = worker_.share(rows());
    const std::size_t experts = moe_.experts.size();
    for (std::size_t r = first; r < last; ++r) {
      route(moe_.routing, {buffers_.router.row(r, experts), experts}, static_cast<std::uint32_t>(r),
            std::span(buffers_.chosen).subspan(r * used(), used()));
    }
    worker_.wait();
    if (worker_.index == 0) sort();
    worker_.wait();
  }

  /// Fills pairs, in order of experts and rows, their ends, and where the pairs of a row are.
  void sort() {
    const std::size_t experts = moe_.experts.size();
    std::vector<std::uint32_t>& ends = buffers_.ends;
    std::fill(ends.begin(), ends.end(), 0);
    for (std::size_t i = 0; i < routed_pairs(); ++i) ++ends[buffers_.chosen[i].expert + 1];
    std::partial_sum(ends.begin(), ends.begin() + static_cast<std::ptrdiff_t>(experts) + 1, ends.begin());
    for (std::size_t i = 0; i < routed_pairs(); ++i) {  // ends[e] becomes the end of e
      const std::uint32_t at = ends[buffers_.chosen[i].expert]++;
      buffers_.row_of[at] = buffers_.chosen[i].row;
      buffers_.pair_of[i] = at;
    }
    if (!moe_.has_shared()) return;
    for (std::size_t r = 0; r < rows(); ++r) {
      buffers_.row_of[routed_pairs() + r] = static_cast<std::uint32_t>(r);
    }
  }

  template <class Do>
  void for_jobs(Do&& job) {
    for (std::size_t e = 0; e < moe_.experts.size(); ++e) {
      const std::size_t first = e == 0 ? 0 : buffers_.ends[e - 1], last = buffers_.ends[e];
      if (first < last) job(Job{moe_.experts[e], first, last});
    }
    if (moe_.has_shared()) job(Job{moe_.shared, routed_pairs(), pairs()});
  }

  /// Copies the rows of each pair side by side.
  void gather() {
    const Activations x = rows_view();
    const std::size_t groups = hidden() / kGroupCols;
    const auto [first, last] = worker_.share(pairs());
    for_jobs([&](const Job& job) {
      const Activations to = input_of(job);
      for (std::size_t p = std::max(first, job.first); p < std::min(last, job.last); ++p) {
        const std::size_t i = p - job.first, r = buffers_.row_of[p];
        std::copy_n(x.values + r * hidden(), hidden(), buffers_.input.values() + p * hidden());
        std::copy_n(x.q + r * quant_stride(hidden()), hidden(), to.q + i * quant_stride(hidden()));
        to.scale[i] = x.scale[r];
        std::copy_n(x.sum + r * groups, groups, to.sum + i * groups);
        std::copy_n(x.crossed + r * groups, groups, to.crossed + i * groups);
      }
    });
    worker_.wait();
  }

  Activations input_of(const Job& job) {
    return block_of(buffers_.input, pairs(), hidden(), job.first, job.rows(), hidden());
  }
  Activations hidden_of(const Job& job) {
    return block_of(buffers_.hidden, pairs(), buffers_.gate.cols(), job.first, job.rows(),
                    job.expert.width());
  }

  /// The products of all jobs: products(job, product) calls product(linear, out) for each. The workers share
  /// the panels, each counted once for every row.
  template <class Products, class Input>
  void multiply(Products&& products, Input&& input) {
    std::size_t all = 0;
    for_jobs([&](const Job& job) {
      products(job, [&](const Linear& linear, float*) { all += linear.weight.panels() * job.rows(); });
    });
    const auto [first, last] = worker_.share(all);
    std::size_t begin = 0;
    for_jobs([&](const Job& job) {
      const Activations x = input(job);
      products(job, [&](const Linear& linear, float* out) {
        const PackedMatrix& matrix = linear.weight;
        const std::size_t end = begin + matrix.panels() * job.rows();
        // A panel belongs to the worker in whose share its first row is.
        const auto panel_at = [&](std::size_t cost) {
          return (std::clamp(cost, begin, end) - begin + job.rows() - 1) / job.rows();
        };
        const std::size_t from = panel_at(first), to = panel_at(last);
        begin = end;
        if (from == to) return;
        kernels_.matmul(matrix, {from, to}, x, out, matrix.rows, scratch());
        if (linear.bias.empty()) return;
        const std::size_t column = from * kPanelRows, count = std::min(to * kPanelRows, matrix.rows) - column;
        for (std::size_t r = 0; r < job.rows(); ++r)
          kernels_.add(linear.bias.data() + column, count, out + r * matrix.rows + column);
      });
    });
    worker_.wait();
  }

  /// The activations of the inner rows of each pair.
  void activate() {
    const auto [first, last] = worker_.share(pairs());
    for_jobs([&](const Job& job) {
      const Activations to = hidden_of(job);
      const std::size_t width = job.expert.width();
      for (std::size_t p = std::max(first, job.first); p < std::min(last, job.last); ++p) {
        const std::size_t i = p - job.first;
        const float* gate = buffers_.gate.row(job.first) + i * width;
        const float* up = job.expert.gated() ? buffers_.up.row(job.first) + i * width : ws_.ones.data();
        float* row = buffers_.hidden.values() + job.first * buffers_.gate.cols() + i * width;
        kernels_.gate(job.expert.activation, gate, up, width, row);
        if (job.expert.down.weight.quantized()) kernels_.quantize(to, i, i + 1);
      }
    });
    worker_.wait();
  }

  /// ws.y = the weighed sum of each row's pairs, experts ascending, the shared one last.
  void combine() {
    const auto [first, last] = worker_.share(rows());
    for (std::size_t r = first; r < last; ++r) {
      float* y = ws_.y.row(r);
      std::fill_n(y, hidden(), 0.0F);
      for (std::size_t i = r * used(); i < (r + 1) * used(); ++i)
        add_weighed(buffers_.pair_of[i], buffers_.chosen[i].weight, y);
      if (moe_.has_shared()) add_weighed(routed_pairs() + r, shared_weight(r), y);
    }
    worker_.wait();
  }

  float shared_weight(std::size_t r) {
    return moe_.shared_gate.weight.rows == 0 ? 1 : 1 / (1 + std::exp(-*buffers_.shared_gate.row(r, 1)));
  }

  void add_weighed(std::size_t pair, float weight, float* y) {
    const float* out = buffers_.out.row(pair);
    for (std::size_t i = 0; i < hidden(); ++i) y[i] += weight * out[i];
  }

  std::byte* scratch() { return ws_.matmul[static_cast<std::size_t>(worker_.index)].data(); }

  const Worker& worker_;
  Workspace& ws_;
  const Moe& moe_;
  MoeBuffers& buffers_;
  const Kernels& kernels_;
};

}  // namespace

void route(const Routing& routing, std::span<const float> logits, std::uint32_t row,
           std::span<Routed> chosen) {
  // The order of scores is that of logits.
  std::size_t count = 0;
  for (std::uint32_t e = 0; e < logits.size(); ++e) {
    std::size_t at = count < chosen.size() ? count++ : chosen.size();
    for (; at > 0 && logits[e] > logits[chosen[at - 1].expert]; --at) {
      if (at < chosen.size()) chosen[at] = chosen[at - 1];
    }
    if (at < chosen.size()) chosen[at] = {e, row, 0};
  }
  const float most = logits[chosen[0].expert];
  double all = 0, sum = 0;
  if (routing.scores == Routing::Scores::kSoftmax) {
    for (const float logit : logits) all += std::exp(static_cast<double>(logit) - most);
  }
  const auto score = [&](const Routed& one) {
    const double logit = logits[one.expert];
    return routing.scores == Routing::Scores::kSoftmax ? std::exp(logit - most) / all
                                                       : 1 / (1 + std::exp(-logit));
  };
  for (const Routed& one : chosen) sum += score(one);
  for (Routed& one : chosen)
    one.weight = static_cast<float>(score(one) / (routing.normalized ? sum : 1) * routing.scale);
  std::sort(chosen.begin(), chosen.end(),
            [](const Routed& a, const Routed& b) { return a.expert < b.expert; });
}

void mix_experts(const Worker& worker, Workspace& ws, const Norm& norm, FloatBuffer& rows, const Moe& moe) {
  Mixing(worker, ws, moe).run(norm, rows);
}

}  // namespace partita::internal
