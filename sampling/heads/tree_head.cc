// The LM head of a hierarchical softmax, a binary tree over the words (Morin & Bengio 2005; Huffman's,
// Mikolov et al. 2013): every inner node goes left with probability sigmoid(w . h + b), and the probability
// of a word is that of its path. No word below a node is likelier than the node, so a best-first search from
// the root finds the likeliest. A draw from the full softmax follows one path.
#include <algorithm>
#include <cmath>
#include <utility>

#include "sampling/chain/numbers.h"
#include "sampling/heads/heads.h"
#include "sampling/heads/masked_row.h"
#include "sampling/heads/products.h"
#include "sampling/heads/row_answer.h"
#include "sampling/heads/row_head.h"
#include "sampling/heads/split_head.h"
#include "weights/catch_all.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr std::size_t kMaxRows = 16;

/// Beyond these limits a search takes longer than a full row.
constexpr std::size_t kMaxCount = 1024;
constexpr double kMaxDistance = 12;

/// log sigmoid(x), without loss at either end.
double log_sigmoid(double x) { return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))); }

/// The log-probability of a child, from that of its parent and the parent's score; side 0 is left.
double log_probability(double parent, float score, std::size_t side) {
  const auto x = static_cast<double>(score);
  return parent + log_sigmoid(side == 0 ? x : -x);
}

std::size_t word_of(std::int32_t child) { return static_cast<std::size_t>(-1 - child); }

class TreeSourceScratch : public SourceScratch {
 public:
  TreeSourceScratch(const OutputWeights& w, std::size_t rows, int threads)
      : ld(whole_panels(w.root.weight.rows)),
        scores(rows * ld * sizeof(float)),
        nodes(static_cast<std::size_t>(threads), std::vector<double>(w.root.weight.rows)),
        products(rows, w.hidden_size, threads) {}

  const std::size_t ld;
  AlignedBytes scores;                     // [rows][ld]
  std::vector<std::vector<double>> nodes;  // [threads][nodes]: log-probabilities
  ProductScratch products;
};

class TreeSource : public LogitSource {
 public:
  TreeSource(const OutputWeights& weights, const Kernels& kernels) : w_(weights), kernels_(kernels) {}

  std::size_t vocab_size() const override { return w_.vocab_size; }
  std::size_t hidden_size() const override { return w_.hidden_size; }
  std::size_t bytes() const override { return w_.bytes(); }

  std::unique_ptr<SourceScratch> make_scratch(std::size_t rows, int threads) const override {
    auto scratch = std::make_unique<TreeSourceScratch>(w_, rows, threads);
    if (scratch->scores.data() == nullptr || !scratch->products.ok()) return nullptr;
    return scratch;
  }

  void rows(const Worker& worker, const float* hidden, std::size_t rows, SourceScratch& source_scratch,
            const RowOutput& out) const override {
    auto& scratch = static_cast<TreeSourceScratch&>(source_scratch);
    float* const scores = reinterpret_cast<float*>(scratch.scores.data());
    multiply(worker, w_.root, scratch.products.view(hidden, rows, w_.hidden_size), kernels_, scratch.products,
             {scores, scratch.ld});
    std::vector<double>& nodes = scratch.nodes[static_cast<std::size_t>(worker.index)];
    const auto [first, last] = worker.share(rows);
    for (std::size_t r = first; r < last; ++r) {
      float* const row = out.logits + r * out.ld;
      nodes.back() = 0;
      for (std::size_t node = nodes.size(); node-- > 0;) {  // parents follow their children
        for (const std::size_t side : {0, 1}) {
          const std::int32_t child = w_.children[2 * node + side];
          const double p = log_probability(nodes[node], scores[r * scratch.ld + node], side);
          if (child >= 0) {
            nodes[static_cast<std::size_t>(child)] = p;
          } else {
            row[word_of(child)] = static_cast<float>(p);
          }
        }
      }
      if (out.maxima != nullptr)
        tile_maxima({row, w_.vocab_size}, {out.maxima + r * out.tiles, out.tiles}, kernels_);
    }
    worker.wait();
  }

 private:
  const OutputWeights& w_;
  const Kernels& kernels_;
};

/// A node or word that the search reached; a heap has the likeliest first.
struct Reached {
  double log_probability = 0;
  std::int32_t child = 0;  // as in OutputWeights::children
  bool operator<(const Reached& other) const { return log_probability < other.log_probability; }
};

class TreeHeadScratch : public HeadScratch {
 public:
  struct Member {
    explicit Member(const OutputWeights& w)
        : row(w.vocab_size), scores(whole_panels(w.root.weight.rows)), seen(w.root.weight.panels(), 0) {}
    Candidates candidates;
    MaskedRow row;
    std::vector<float> scores;        // [nodes], of one row
    std::vector<std::uint32_t> seen;  // [panels]: the round in which its scores were computed
    std::uint32_t round = 0;
    std::size_t panels = 0;  // computed in this round
    std::vector<Reached> heap;
    std::vector<std::int32_t> shown;                        // words
    std::vector<float> logits, maxima;                      // [vocab], masked but for `shown`; [tiles]
    std::vector<std::pair<std::size_t, std::size_t>> path;  // node and side, from a word up
  };

  TreeHeadScratch(const OutputWeights& w, std::size_t max_rows, int threads)
      : rows(std::clamp<std::size_t>(max_rows, 1, kMaxRows)),
        hidden(rows * w.hidden_size * sizeof(float)),
        products(rows, w.hidden_size, threads),
        team(threads),
        members(static_cast<std::size_t>(threads), Member(w)) {}

  const std::size_t rows;
  AlignedBytes hidden;  // [rows][hidden]
  ProductScratch products;
  Team team;
  std::vector<Member> members;
};

using Member = TreeHeadScratch::Member;

class TreeHead : public SplitHead {
 public:
  TreeHead(const OutputWeights& weights, const Kernels& kernels);

  std::size_t bytes_per_row() const override { return w_.bytes(); }

 protected:
  Route route(const Question& question) const override;
  std::unique_ptr<HeadScratch> make_few_scratch(std::size_t max_rows, int threads) const override {
    auto scratch = std::make_unique<TreeHeadScratch>(w_, max_rows, threads);
    if (scratch->hidden.data() == nullptr || !scratch->products.ok()) return nullptr;
    return scratch;
  }
  void answer_few(std::span<const Question> questions, HeadScratch& scratch,
                  std::span<Result<Answer>> answers) const override;

 private:
  /// The search in the tree for one row, by one worker.
  struct Walk {
    const Worker& worker;
    Activations x;  // the row first
    ProductScratch& products;
    Member& member;
  };

  Result<Answer> answer_one(const Question& question, const Walk& walk) const;
  float score(std::size_t node, const Walk& walk) const;
  void show_likeliest(const LogitsNeeded& needed, const Walk& walk) const;
  void show_drawn(const DrawKey& key, const Walk& walk) const;
  double log_probability_of(std::int32_t word, const Walk& walk) const;

  const OutputWeights& w_;
  const Kernels& kernels_;
  std::vector<std::uint32_t> parent_of_node_, parent_of_word_;  // 2 * parent + side
};

TreeHead::TreeHead(const OutputWeights& weights, const Kernels& kernels)
    : SplitHead(make_row_head(std::make_unique<TreeSource>(weights, kernels), kernels)),
      w_(weights),
      kernels_(kernels),
      parent_of_node_(weights.vocab_size - 1),
      parent_of_word_(weights.vocab_size) {
  for (std::uint32_t i = 0; i < w_.children.size(); ++i) {
    const std::int32_t child = w_.children[i];
    (child >= 0 ? parent_of_node_[static_cast<std::size_t>(child)] : parent_of_word_[word_of(child)]) = i;
  }
}

Route TreeHead::route(const Question& question) const {
  if (question.negative != nullptr) return Route::kFullRow;
  if (question.chain == nullptr) return asks_for_more(question) ? Route::kFullRow : Route::kFewLogits;
  const LogitsNeeded needed = logits_needed(question);
  if (needed.kind == LogitsNeeded::kAll || needed.kind == LogitsNeeded::kNucleus ||
      (needed.kind == LogitsNeeded::kLargest && needed.count > kMaxCount) ||
      (needed.kind == LogitsNeeded::kNear && !(needed.distance <= kMaxDistance))) {
    return Route::kFullRow;
  }
  if (needed.kind == LogitsNeeded::kEach) {
    if (needed.temperature != 1) return Route::kFullRow;
    return asks_for_more(question) ? Route::kFewAndFullRow : Route::kFewLogits;
  }
  return asks_for_more(question) ? Route::kFullRow : Route::kFewLogits;  // both choose the same token
}

void TreeHead::answer_few(std::span<const Question> questions, HeadScratch& head_scratch,
                          std::span<Result<Answer>> answers) const {
  auto& scratch = static_cast<TreeHeadScratch&>(head_scratch);
  float* const hidden = reinterpret_cast<float*>(scratch.hidden.data());
  scratch.team.run([&](const Worker& worker) {
    for (std::size_t first = 0; first < questions.size(); first += scratch.rows) {
      const auto chunk = questions.subspan(first, std::min(scratch.rows, questions.size() - first));
      const Activations x = scratch.products.view(hidden, chunk.size(), w_.hidden_size);
      const auto [mine, end] = worker.share(chunk.size());
      for (std::size_t r = mine; r < end; ++r) {
        std::copy_n(chunk[r].hidden, w_.hidden_size, hidden + r * w_.hidden_size);
      }
      if (w_.root.weight.quantized()) kernels_.quantize(x, mine, end);
      for (std::size_t r = mine; r < end; ++r) {
        Activations one = x.from(r);
        one.rows = 1;
        Member& member = scratch.members[static_cast<std::size_t>(worker.index)];
        answers[first + r] = catch_all([&] {
          return answer_one(chunk[r], {worker, one, scratch.products, member});
        });
        member.row.clear();
      }
      worker.wait();  // the next rows overwrite these
    }
  });
}

float TreeHead::score(std::size_t node, const Walk& walk) const {
  const std::size_t panel = node / kPanelRows;
  Member& member = walk.member;
  if (member.seen[panel] != member.round) {
    multiply_panels(walk.worker, w_.root, panel, panel + 1, walk.x, kernels_, walk.products,
                    {member.scores.data()});
    member.seen[panel] = member.round;
    ++member.panels;
  }
  return member.scores[node];
}

Result<Answer> TreeHead::answer_one(const Question& question, const Walk& walk) const {
  Member& member = walk.member;
  ++member.round;
  member.panels = 0;
  Answer scored;
  for (const std::int32_t id : question.score) {
    TRY(check_scored(id, w_.vocab_size));
    const auto value = static_cast<float>(log_probability_of(id, walk));
    if (std::isnan(value)) return bad_logits(std::span(&value, 1));
    scored.score.push_back(value);
  }
  Result<Answer> answer = Answer{};
  if (question.chain != nullptr) {
    const LogitsNeeded needed = logits_needed(question);
    if (needed.kind == LogitsNeeded::kEach) {
      show_drawn(question.key, walk);
    } else {
      show_likeliest(needed, walk);
    }
    answer = answer_row(choice_of(question), member.row.row(), member.row.row(), kernels_, member.candidates);
  }
  if (!answer) return answer;
  answer->score = std::move(scored.score);
  answer->head_bytes = member.panels * w_.root.weight.panel_bytes();
  return answer;
}

void TreeHead::show_likeliest(const LogitsNeeded& needed, const Walk& walk) const {
  std::vector<Reached>& heap = walk.member.heap;
  heap.assign(1, {0, static_cast<std::int32_t>(w_.root.weight.rows) - 1});
  std::size_t words = 0;
  float least = MaskedRow::kMasked;  // no word below it is needed
  while (!heap.empty() && !(static_cast<float>(heap.front().log_probability) < least)) {
    std::pop_heap(heap.begin(), heap.end());
    const Reached best = heap.back();
    heap.pop_back();
    if (best.child < 0) {
      walk.member.row.show(-1 - best.child, static_cast<float>(best.log_probability));
      ++words;
      if (needed.kind == LogitsNeeded::kLargest && words == needed.count)
        least = static_cast<float>(best.log_probability);
      if (needed.kind == LogitsNeeded::kNear && words == 1) {
        least = static_cast<float>(best.log_probability - needed.distance * (1 + 1e-6) - 1e-6);
      }
      continue;
    }
    const auto node = static_cast<std::size_t>(best.child);
    const float s = score(node, walk);
    if (std::isnan(s)) return walk.member.row.show(0, s);  // for the answer to report
    for (const std::size_t side : {0, 1}) {
      heap.push_back({log_probability(best.log_probability, s, side), w_.children[2 * node + side]});
      std::push_heap(heap.begin(), heap.end());
    }
  }
}

void TreeHead::show_drawn(const DrawKey& key, const Walk& walk) const {
  auto child = static_cast<std::int32_t>(w_.root.weight.rows) - 1;
  double p = 0;
  for (std::uint32_t depth = 0; child >= 0; ++depth) {
    const auto node = static_cast<std::size_t>(child);
    const float s = score(node, walk);
    const std::size_t side =
        uniform(key, kPartStream + depth) < std::exp(log_sigmoid(static_cast<double>(s))) ? 0 : 1;
    p = log_probability(p, s, side);
    child = w_.children[2 * node + side];
  }
  walk.member.row.show(-1 - child, static_cast<float>(p));
}

double TreeHead::log_probability_of(std::int32_t word, const Walk& walk) const {
  auto& path = walk.member.path;
  path.clear();
  for (std::uint32_t at = parent_of_word_[static_cast<std::size_t>(word)];;) {
    path.emplace_back(at / 2, at % 2);
    if (at / 2 + 1 == w_.root.weight.rows) break;
    at = parent_of_node_[at / 2];
  }
  double p = 0;
  for (auto step = path.rbegin(); step != path.rend(); ++step) {
    p = log_probability(p, score(step->first, walk), step->second);
  }
  return p;
}

}  // namespace

std::unique_ptr<OutputHead> make_tree_head(const OutputWeights& weights, const Kernels& kernels) {
  return std::make_unique<TreeHead>(weights, kernels);
}

}  // namespace partita::internal
