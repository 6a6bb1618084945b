#include "engine/layers/moe.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numeric>
#include <utility>

#include "engine/kernels/activations.h"
#include "engine/layers/products.h"
#include "engine/step_watch.h"

namespace partita::internal {
namespace {

/// One expert and the rows that go through it: pairs [first, last) of the plan.
struct Job {
  const Ffn& expert;
  std::size_t first, last;
  bool routed;  // false: the shared expert
  std::size_t rows() const { return last - first; }
  const Linear& first_product() const { return expert.gated() ? expert.gate : expert.up; }
};

/// Activations of consecutive pairs from `first` on, with the columns of their expert; `widest`: of any.
Activations block_of(ActivationBuffer& buffer, std::size_t widest, std::size_t first, std::size_t rows,
                     std::size_t cols, const float* values) {
  const Activations all = buffer.view(rows, widest);
  const std::size_t groups = widest / kGroupCols + 1;
  return {.rows = rows,
          .cols = cols,
          .values = values,
          .q = all.q + first * (widest + kGroupCols),
          .scale = all.scale + first,
          .sum = all.sum + first * groups,
          .crossed = all.crossed + first * groups};
}

/// Copies row `r` of x to row `i` of `to`.
void copy_row(const Activations& x, std::size_t r, bool values, const Activations& to, std::size_t i) {
  const std::size_t cols = x.cols, groups = cols / kGroupCols, stride = quant_stride(cols);
  if (values) std::copy_n(x.values + r * cols, cols, const_cast<float*>(to.values) + i * cols);
  std::copy_n(x.q + r * stride, stride, to.q + i * stride);
  to.scale[i] = x.scale[r];
  std::copy_n(x.sum + r * groups, groups, to.sum + i * groups);
  std::copy_n(x.crossed + r * groups, groups, to.crossed + i * groups);
}

/// y += weight * x, of n floats.
void add_weighed(float weight, const float* __restrict x, std::size_t n, float* __restrict y) {
  constexpr std::size_t kStep = 16;
  std::size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    for (std::size_t j = 0; j < kStep; ++j) y[i + j] += weight * x[i + j];
  }
  for (; i < n; ++i) y[i] += weight * x[i];
}

void multiply_by(float factor, float* row, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) row[i] *= factor;
}

/// A mixture of experts in one step. With few rows every worker plans and quantizes all of them itself, as
/// make_activations() does: cheaper than to share the rows and wait at a barrier.
class Mixing {
 public:
  Mixing(const Worker& worker, Workspace& ws, const Moe& moe)
      : worker_(worker),
        ws_(ws),
        moe_(moe),
        buffers_(ws.moe),
        kernels_(ws.model.kernels()),
        few_(ws.rows.size() <= kMaxRedundantRows),
        own_(
            ws.moe.own[static_cast<std::size_t>(worker.index)]),  // before wait(), which may change the index
        plan_(few_ ? own_.plan : ws.moe.plan) {}

  void run(const Norm& norm, FloatBuffer& rows) {
    read_rows(norm, rows);
    score();
    choose();
    if (ws_.watch != nullptr) watch_inputs();
    for_shares([](const Job& job) { return &job.expert.up.weight; },
               [&](const Job& job, std::size_t from, std::size_t to) { feed(job, from, to); });
    worker_.wait();
    if (ws_.watch != nullptr) watch_inner();
    quantize_inner();
    if (few_) return multiply_down();
    for_shares([](const Job& job) { return &job.expert.down.weight; },
               [&](const Job& job, std::size_t from, std::size_t to) { multiply_down(job, from, to); });
    worker_.wait();
  }

  /// ws.y = the weighed sum of each row's pairs, experts ascending, the shared one last; in own columns.
  void combine() {
    if (!moe_.post.empty()) return combine_normed();
    const auto [first, last] = own_columns(worker_, ws_, moe_.experts.front().down.weight);
    for (std::size_t r = 0; r < rows(); ++r) {
      add_routed(r, first, last);
      if (!moe_.has_shared()) continue;
      add_weighed(shared_weight(r), shared_row(r) + first, last - first, ws_.y.row(r) + first);
    }
  }

 private:
  std::size_t rows() const { return ws_.rows.size(); }
  std::size_t hidden() const { return ws_.x.cols(); }
  float* shared_row(std::size_t r) { return buffers_.out.row(routed_pairs() + r); }

  /// ws.y = the weighed sum of the chosen experts of row r, in columns [first, last).
  void add_routed(std::size_t r, std::size_t first, std::size_t last) {
    float* y = ws_.y.row(r) + first;
    std::fill_n(y, last - first, 0.0F);
    for (std::size_t i = r * used(); i < (r + 1) * used(); ++i) {
      const std::uint32_t pair = plan_.pair_of[i];
      const float weight = moe_.routing.before ? 1 : plan_.weight_of[pair];
      add_weighed(weight, buffers_.out.row(pair) + first, last - first, y);
    }
  }

  /// The same of normed sums, in own rows; all are complete on return.
  void combine_normed() {
    if (few_) worker_.wait();
    const auto [first, last] = worker_.share(rows());
    for (std::size_t r = first; r < last; ++r) {
      add_routed(r, 0, hidden());
      apply(ws_, moe_.post, ws_.y.row(r), ws_.y.row(r));
      if (!moe_.has_shared()) continue;
      apply(ws_, moe_.shared_post, shared_row(r), shared_row(r));
      add_weighed(shared_weight(r), shared_row(r), hidden(), ws_.y.row(r));
    }
    worker_.wait();
  }

  std::size_t used() const { return moe_.routing.used; }
  /// Pairs of chosen experts, then one a row for the shared expert.
  std::size_t routed_pairs() const { return rows() * used(); }
  std::size_t pairs() const { return routed_pairs() + (moe_.has_shared() ? rows() : 0); }

  /// What the experts, the router and the shared expert read.
  void read_rows(const Norm& norm, FloatBuffer& from) {
    const Ffn& expert = moe_.experts.front();
    x_ = normed_rows(
        moe_.pre.empty() ? norm : moe_.pre, from,
        few_ ? ws_.own_activations[static_cast<std::size_t>(worker_.index)] : ws_.shared_activations,
        {&moe_.router, &moe_.shared_gate, &expert.gate, &expert.up, &moe_.shared.gate, &moe_.shared.up});
    router_x_ = shared_x_ = x_;
    if (!moe_.router_norm.empty())
      router_x_ = normed_rows(moe_.router_norm, from, few_ ? own_.router_input : buffers_.router_input,
                              {&moe_.router});
    if (!moe_.pre.empty())
      shared_x_ = normed_rows(norm, from, few_ ? own_.shared_input : buffers_.shared_input,
                              {&moe_.shared_gate, &moe_.shared.gate, &moe_.shared.up});
    if (!few_) worker_.wait();
  }

  /// norm(rows) in the forms that `users` are multiplied in; with many rows, those of the worker.
  Activations normed_rows(const Norm& norm, FloatBuffer& from, ActivationBuffer& buffer,
                          std::initializer_list<const Linear*> users) {
    const Activations x = buffer.view(rows(), hidden());
    const bool quantized = is_quantized(users);
    const auto [first, last] = few_ ? std::pair{std::size_t{0}, rows()} : worker_.share(rows());
    for (std::size_t r = first; r < last; ++r) {
      apply(ws_, norm, from.row(r), buffer.values() + r * hidden());
      if (quantized) kernels_.quantize(x, r, r + 1);
    }
    return x;
  }

  static bool is_quantized(std::initializer_list<const Linear*> users) {
    return std::any_of(users.begin(), users.end(), [](const Linear* l) { return l->weight.quantized(); });
  }

  /// The logits of the router, and of the shared expert's gate.
  void score() {
    score(moe_.router, router_x_, buffers_.router);
    score(moe_.shared_gate, shared_x_, buffers_.shared_gate);
    worker_.wait();
  }

  void score(const Linear& linear, const Activations& x, FloatBuffer& out) {
    const auto [from, to] = worker_.share(linear.weight.panels());
    multiply(linear, from, to, x, out.row(0, linear.weight.rows));
  }

  /// out = linear x, panels [from, to). rows_of: the rows of the step that the rows of x are; empty: the
  /// same.
  void multiply(const Linear& linear, std::size_t from, std::size_t to, const Activations& x, float* out,
                std::span<const std::uint32_t> rows_of = {}) {
    const PackedMatrix& matrix = linear.weight;
    if (from == to) return;
    kernels_.matmul(matrix, {from, to}, x, out, matrix.rows,
                    ws_.matmul[static_cast<std::size_t>(worker_.index)].data());
    const std::size_t column = from * kPanelRows, count = std::min(to * kPanelRows, matrix.rows) - column;
    for (std::size_t r = 0; r < x.rows && !linear.bias.empty(); ++r)
      kernels_.add(linear.bias.data() + column, count, out + r * matrix.rows + column);
    if (ws_.adapted) add_adapters(worker_, ws_, linear, {from, to}, x, out, rows_of);
  }

  /// The rows of the step that a job's are; empty: all, in order.
  std::span<const std::uint32_t> rows_of(const Job& job) const {
    if (!job.routed) return {};
    return std::span<const std::uint32_t>(plan_.row_of).subspan(job.first, job.rows());
  }

  /// Chooses the experts of each row, sorts the pairs by expert, and with many rows copies the rows of each
  /// pair side by side.
  void choose() {
    const std::size_t experts = moe_.experts.size();
    const auto [first, last] = few_ ? std::pair{std::size_t{0}, rows()} : worker_.share(rows());
    for (std::size_t r = first; r < last; ++r) {
      const std::span<Routed> chosen = std::span(plan_.chosen).subspan(r * used(), used());
      route(moe_.routing, {buffers_.router.row(r, experts), experts}, moe_.choice_bias,
            static_cast<std::uint32_t>(r), chosen);
      if (moe_.expert_scale.empty()) continue;
      for (Routed& one : chosen) one.weight *= moe_.expert_scale[one.expert];
    }
    if (few_) return plan_.sort(rows(), used(), experts);
    worker_.wait();
    if (worker_.index == 0) plan_.sort(rows(), used(), experts);
    worker_.wait();
    gather();
    worker_.wait();
  }

  template <class Do>
  void for_jobs(Do&& job) {
    for (std::size_t e = 0; e < moe_.experts.size(); ++e) {
      const std::size_t first = e == 0 ? 0 : plan_.ends[e - 1], last = plan_.ends[e];
      if (first < last) job(Job{moe_.experts[e], first, last, true});
    }
    if (moe_.has_shared()) job(Job{moe_.shared, routed_pairs(), pairs(), false});
  }

  /// Calls work(job, from, to) for the worker's panels of matrix(job), of all jobs, each panel counted once
  /// for every row. A panel belongs to the worker in whose share its first row is.
  template <class Matrix, class Work>
  void for_shares(Matrix&& matrix, Work&& work) {
    std::size_t all = 0, begin = 0;
    for_jobs([&](const Job& job) { all += matrix(job)->panels() * job.rows(); });
    const auto [first, last] = worker_.share(all);
    for_jobs([&, first = first, last = last](const Job& job) {
      const std::size_t end = begin + matrix(job)->panels() * job.rows();
      const auto panel_at = [&](std::size_t cost) {
        return (std::clamp(cost, begin, end) - begin + job.rows() - 1) / job.rows();
      };
      const std::size_t from = panel_at(first), to = panel_at(last);
      begin = end;
      if (from < to) work(job, from, to);
    });
  }

  void gather() {
    const auto [first, last] = worker_.share(routed_pairs());
    for_jobs([&, first = first, last = last](const Job& job) {
      if (!job.routed) return;
      const Activations to = gathered(job);
      for (std::size_t p = std::max(first, job.first); p < std::min(last, job.last); ++p)
        copy_row(x_, plan_.row_of[p], needs_values(job), to, p - job.first);
    });
  }

  /// Shows what a product of a job reads, [rows][cols].
  void watch_product(const Job& job, const Linear& linear, const float* values, std::size_t rows,
                     std::size_t cols) {
    const std::size_t expert = job.routed ? static_cast<std::size_t>(&job.expert - moe_.experts.data()) : 0;
    ws_.watch->input(worker_, linear, values, rows, cols, expert, job.routed ? moe_.experts.size() : 1);
  }

  void watch_inputs() {
    for_jobs([&](const Job& job) {
      const auto show = [&](const float* values, std::size_t rows) {
        watch_product(job, job.first_product(), values, rows, hidden());
        if (job.expert.gated()) watch_product(job, job.expert.up, values, rows, hidden());
      };
      if (!job.routed) return show(shared_x_.values, rows());
      for (std::size_t p = job.first; p < job.last; ++p) show(x_.values + plan_.row_of[p] * hidden(), 1);
    });
  }

  void watch_inner() {
    for_jobs([&](const Job& job) {
      watch_product(job, job.expert.down, inner_of(job).values, job.rows(), job.expert.width());
    });
  }

  bool needs_values(const Job& job) const {
    return ws_.model.exact() || ws_.adapted || !job.expert.up.weight.quantized() ||
           !job.first_product().weight.quantized();
  }

  Activations gathered(const Job& job) {
    return block_of(buffers_.input, hidden(), job.first, job.rows(), hidden(),
                    buffers_.input.values() + job.first * hidden());
  }

  /// The rows of a job: where they are if they lie side by side.
  Activations input_of(const Job& job) {
    if (!job.routed) return shared_x_;
    if (!few_) return gathered(job);
    const std::uint32_t row = plan_.row_of[job.first];
    if (plan_.row_of[job.last - 1] - row + 1 == job.rows()) {
      Activations x = x_.from(row);
      x.rows = job.rows();
      return x;
    }
    const Activations to = block_of(own_.input, hidden(), 0, job.rows(), hidden(), own_.input.values());
    for (std::size_t i = 0; i < job.rows(); ++i)
      copy_row(x_, plan_.row_of[job.first + i], needs_values(job), to, i);
    return to;
  }

  /// Panels [from, to) of the inner rows of a job.
  void feed(const Job& job, std::size_t from, std::size_t to) {
    const Activations x = input_of(job);
    const Ffn& ffn = job.expert;
    const std::size_t width = ffn.width(), column = from * kPanelRows;
    const std::size_t count = std::min(to * kPanelRows, width) - column;
    float* gates = buffers_.gate.row(job.first);
    float* ups = buffers_.up.row(job.first);
    multiply(job.first_product(), from, to, x, gates, rows_of(job));
    if (ffn.gated()) multiply(ffn.up, from, to, x, ups, rows_of(job));
    for (std::size_t i = 0; i < job.rows(); ++i) {
      float* gate = gates + i * width + column;
      float* up = ffn.gated() ? ups + i * width + column : ws_.ones.data();
      if (moe_.routing.before && job.routed) {  // the products of the weighed row
        multiply_by(plan_.weight_of[job.first + i], gate, count);
        if (ffn.gated()) multiply_by(plan_.weight_of[job.first + i], up, count);
      }
      kernels_.gate(ffn.activation, gate, up, count, gate);
    }
  }

  /// The inner rows of a job, in the forms that its last matrix is multiplied in.
  Activations inner_of(const Job& job) {
    return block_of(few_ ? own_.inner : buffers_.inner, buffers_.gate.cols(), job.first, job.rows(),
                    job.expert.width(), buffers_.gate.row(job.first));
  }

  void quantize_inner() {
    const auto [first, last] = few_ ? std::pair{std::size_t{0}, pairs()} : worker_.share(pairs());
    for_jobs([&, first = first, last = last](const Job& job) {
      const std::size_t from = std::max(first, job.first), to = std::min(last, job.last);
      if (from < to && job.expert.down.weight.quantized())
        kernels_.quantize(inner_of(job), from - job.first, to - job.first);
    });
    if (!few_) worker_.wait();
  }

  void multiply_down(const Job& job, std::size_t from, std::size_t to) {
    multiply(job.expert.down, from, to, inner_of(job), buffers_.out.row(job.first), rows_of(job));
  }

  /// The same columns of all jobs: those that combine() adds.
  void multiply_down() {
    const auto [first, last] = own_columns(worker_, ws_, moe_.experts.front().down.weight);
    for_jobs([&, first = first, last = last](const Job& job) {
      multiply_down(job, first / kPanelRows, (last + kPanelRows - 1) / kPanelRows);
    });
  }

  float shared_weight(std::size_t r) {
    if (moe_.shared_gate.weight.rows == 0) return moe_.shared_scale;
    return moe_.shared_scale / (1 + std::exp(-*buffers_.shared_gate.row(r, 1)));
  }

  const Worker& worker_;
  Workspace& ws_;
  const Moe& moe_;
  MoeBuffers& buffers_;
  const Kernels& kernels_;
  const bool few_;
  MoeBuffers::Own& own_;
  MoePlan& plan_;
  Activations x_, router_x_, shared_x_;
};

}  // namespace

void MoePlan::sort(std::size_t rows, std::size_t used, std::size_t experts) {
  std::fill_n(ends.begin(), experts + 1, 0);
  for (std::size_t i = 0; i < rows * used; ++i) ++ends[chosen[i].expert + 1];
  std::partial_sum(ends.begin(), ends.begin() + static_cast<std::ptrdiff_t>(experts) + 1, ends.begin());
  for (std::size_t i = 0; i < rows * used; ++i) {  // ends[e] becomes the end of e
    const std::uint32_t at = ends[chosen[i].expert]++;
    row_of[at] = chosen[i].row;
    weight_of[at] = chosen[i].weight;
    pair_of[i] = at;
  }
}

void mix_experts(const Worker& worker, Workspace& ws, const Norm& norm, FloatBuffer& rows, const Moe& moe) {
  Mixing mixing(worker, ws, moe);
  mixing.run(norm, rows);
  mixing.combine();
}

}  // namespace partita::internal
