// The LM head of an adaptive softmax: computes the parts that a question needs. A word is at most as likely
// as its cluster, so the root shows which clusters can contain one of the likeliest words; a draw from the
// full softmax usually reads one part. Words of unread parts are masked in the row that the answer is
// computed from.
#include <algorithm>
#include <cmath>
#include <functional>
#include <new>
#include <utility>

#include "sampling/chain/numbers.h"
#include "sampling/heads/adaptive_draw.h"
#include "sampling/heads/adaptive_parts.h"
#include "sampling/heads/heads.h"
#include "sampling/heads/masked_row.h"
#include "sampling/heads/row_answer.h"
#include "sampling/heads/row_head.h"
#include "sampling/heads/split_head.h"
#include "weights/catch_all.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr float kMasked = MaskedRow::kMasked;

/// Rows whose parts are computed together.
constexpr std::size_t kMaxRows = 16;

class AdaptiveSourceScratch : public SourceScratch {
 public:
  AdaptiveSourceScratch(const OutputWeights& weights, std::size_t rows, int threads)
      : parts(weights, rows, threads) {
    all.reserve(rows * (weights.clusters.size() + 1));
  }

  AdaptiveScratch parts;
  std::vector<PartOfRow> all;
};

/// Full rows of log-probabilities.
class AdaptiveSource : public LogitSource {
 public:
  AdaptiveSource(const OutputWeights& weights, const Kernels& kernels)
      : weights_(weights), kernels_(kernels), parts_(weights, kernels) {}

  std::size_t vocab_size() const override { return weights_.vocab_size; }
  std::size_t hidden_size() const override { return weights_.hidden_size; }
  std::size_t bytes() const override { return weights_.bytes(); }

  std::unique_ptr<SourceScratch> make_scratch(std::size_t rows, int threads) const override {
    auto scratch = std::make_unique<AdaptiveSourceScratch>(weights_, rows, threads);
    if (!scratch->parts.ok()) return nullptr;
    return scratch;
  }

  void rows(const Worker& worker, const float* hidden, std::size_t rows, SourceScratch& scratch,
            const RowOutput& out) const override;

 private:
  const OutputWeights& weights_;
  const Kernels& kernels_;
  AdaptiveParts parts_;
};

void AdaptiveSource::rows(const Worker& worker, const float* hidden, std::size_t rows,
                          SourceScratch& source_scratch, const RowOutput& out) const {
  auto& scratch = static_cast<AdaptiveSourceScratch&>(source_scratch);
  if (worker.index == 0) {
    scratch.parts.clear();
    scratch.all.clear();
    for (std::uint32_t part = 0; part < parts_.parts(); ++part) {
      for (std::uint32_t r = 0; r < rows; ++r) scratch.all.push_back({part, r});
    }
  }
  worker.wait();
  const std::span<const PartOfRow> all = scratch.all;
  parts_.compute(worker, all.first(rows), hidden, scratch.parts);
  parts_.compute(worker, all.subspan(rows), hidden, scratch.parts);
  for (std::size_t part = 0; part < parts_.parts(); ++part) {
    const auto [first, last] = worker.share(parts_.words(part), kLogitTile);
    const std::size_t rank = parts_.first_rank(part);
    for (std::size_t r = 0; r < rows; ++r) {
      const float* const values = scratch.parts.values(r, part);
      float* const row = out.logits + r * out.ld;
      if (weights_.id_of.empty()) {
        std::copy(values + first, values + last, row + rank + first);
      } else {
        for (std::size_t i = first; i < last; ++i) row[weights_.id_of[rank + i]] = values[i];
      }
    }
  }
  worker.wait();
  if (out.maxima == nullptr) return;
  const auto [first, last] = worker.share(tiles_of(weights_.vocab_size));
  for (std::size_t r = 0; r < rows && first < last; ++r) {
    const std::span<const float> row(out.logits + r * out.ld, weights_.vocab_size);
    tile_maxima(row.subspan(first * kLogitTile), {out.maxima + r * out.tiles + first, last - first},
                kernels_);
  }
  worker.wait();
}

/// A draw from a smaller nucleus rejects too many draws from all words.
constexpr double kMinNucleusMass = 0.5;

/// Beyond these limits most parts would be read, one after the other.
constexpr std::size_t kMaxCount = 4096;
constexpr double kMaxDistance = 20;

bool is_drawn(const LogitsNeeded& needed) {
  return needed.kind == LogitsNeeded::kEach || needed.kind == LogitsNeeded::kNucleus;
}

class AdaptiveHeadScratch : public HeadScratch {
 public:
  struct Member {
    explicit Member(std::size_t vocab) : row(vocab) {}
    Candidates candidates;
    MaskedRow row;
    AdaptiveDraw::Memory draw;
    std::vector<float> maxima, probabilities;
  };

  AdaptiveHeadScratch(const OutputWeights& weights, std::size_t max_rows, int threads)
      : rows(std::clamp<std::size_t>(max_rows, 1, kMaxRows)),
        hidden(rows * weights.hidden_size * sizeof(float)),
        team(threads),
        members(static_cast<std::size_t>(team.threads()), Member(weights.vocab_size)),
        parts(weights, rows, team.threads()),
        requested(rows),
        done(rows),
        failed(rows),
        drawn(rows, AdaptiveDraw::Step{}) {
    list.reserve(rows * (weights.clusters.size() + 1));
    for (std::vector<std::uint32_t>& parts_of_row : requested)
      parts_of_row.reserve(weights.clusters.size() + 1);
  }

  bool complete() const { return parts.ok() && hidden.data() != nullptr; }
  float* hidden_rows() { return reinterpret_cast<float*>(hidden.data()); }

  const std::size_t rows;
  AlignedBytes hidden;  // [rows][hidden]
  Team team;
  std::vector<Member> members;
  AdaptiveScratch parts;
  std::vector<std::vector<std::uint32_t>> requested;  // [rows]: parts to be computed next
  std::vector<char> done;                             // [rows]: no further part is needed
  std::vector<char> failed;                           // [rows]: memory ran out before the answer
  std::vector<Result<AdaptiveDraw::Step>> drawn;      // [rows]: the last step of the row's draw
  std::vector<PartOfRow> list;                        // `requested` of all rows, by part
};

using Member = AdaptiveHeadScratch::Member;

class AdaptiveHead : public SplitHead {
 public:
  AdaptiveHead(const OutputWeights& weights, const Kernels& kernels)
      : SplitHead(make_row_head(std::make_unique<AdaptiveSource>(weights, kernels), kernels)),
        weights_(weights),
        kernels_(kernels),
        parts_(weights, kernels) {}

  std::size_t bytes_per_row() const override { return parts_.bytes(0); }

 protected:
  /// The full row serves guidance and chains that need all words.
  Route route(const Question& question) const override {
    if (question.negative != nullptr) return Route::kFullRow;
    const LogitsNeeded needed =
        question.chain == nullptr ? LogitsNeeded{.kind = LogitsNeeded::kEach} : logits_needed(question);
    const bool all = needed.kind == LogitsNeeded::kAll ||
                     (needed.kind == LogitsNeeded::kNucleus && needed.mass < kMinNucleusMass) ||
                     (needed.kind == LogitsNeeded::kLargest && needed.count > kMaxCount) ||
                     (needed.kind == LogitsNeeded::kNear && !(needed.distance <= kMaxDistance));
    return all ? Route::kFullRow : Route::kFewLogits;
  }
  std::unique_ptr<HeadScratch> make_few_scratch(std::size_t max_rows, int threads) const override {
    auto scratch = std::make_unique<AdaptiveHeadScratch>(weights_, max_rows, threads);
    if (!scratch->complete()) return nullptr;
    return scratch;
  }
  void answer_few(std::span<const Question> questions, HeadScratch& scratch,
                  std::span<Result<Answer>> answers) const override;

 private:
  void compute_requested(const Worker& worker, AdaptiveHeadScratch& scratch) const;

  void request_or_fail(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                       Member& member) const;
  /// Writes to scratch.requested[r] the parts that must be computed before the question can be answered.
  void request_parts(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                     Member& member) const;
  void request_likeliest(const LogitsNeeded& needed, std::size_t r, AdaptiveHeadScratch& scratch) const;
  void request_for_draw(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                        Member& member) const;
  bool rules_out(const LogitsNeeded& needed, float bound, std::size_t r, AdaptiveHeadScratch& scratch) const;

  Result<Answer> answer_from(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                             Member& member) const;
  /// Adds the other requested results, from a row in which all words are shown.
  Result<void> complete(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch, Member& member,
                        Answer& answer) const;
  Result<void> score(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                     Answer& answer) const;
  Result<Choice> choose(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                        Member& member) const;
  /// Shows the known words of at least `least`.
  void show(float least, std::size_t r, AdaptiveHeadScratch& scratch, MaskedRow& row) const;
  float least_of(const LogitsNeeded& needed, std::size_t r, AdaptiveHeadScratch& scratch,
                 Member& member) const;
  float value_of(std::int32_t id, std::size_t r, AdaptiveHeadScratch& scratch) const;

  std::span<const float> values(std::size_t r, std::size_t part, AdaptiveHeadScratch& scratch) const {
    return {scratch.parts.values(r, part), parts_.words(part)};
  }
  bool is_known(std::size_t r, std::size_t part, AdaptiveHeadScratch& scratch) const {
    return scratch.parts.values(r, part) != nullptr;
  }

  const OutputWeights& weights_;
  const Kernels& kernels_;
  AdaptiveParts parts_;
};

void AdaptiveHead::answer_few(std::span<const Question> questions, HeadScratch& head_scratch,
                              std::span<Result<Answer>> answers) const {
  auto& scratch = static_cast<AdaptiveHeadScratch&>(head_scratch);
  scratch.team.run([&](const Worker& worker) {
    Member& member = scratch.members[static_cast<std::size_t>(worker.index)];
    for (std::size_t first = 0; first < questions.size(); first += scratch.rows) {
      const auto chunk = questions.subspan(first, std::min(scratch.rows, questions.size() - first));
      const auto for_my_rows = [&](auto&& visit) {
        const auto [mine, end] = worker.share(chunk.size());
        for (std::size_t r = mine; r < end; ++r) visit(r);
      };
      if (worker.index == 0) scratch.parts.clear();
      for_my_rows([&](std::size_t r) {
        std::copy_n(chunk[r].hidden, weights_.hidden_size, scratch.hidden_rows() + r * weights_.hidden_size);
        scratch.requested[r].assign(1, 0);  // the root
        scratch.done[r] = 0;
        scratch.failed[r] = 0;
      });
      for (compute_requested(worker, scratch); !scratch.list.empty(); compute_requested(worker, scratch)) {
        for_my_rows([&](std::size_t r) {
          if (scratch.done[r] == 0) request_or_fail(chunk[r], r, scratch, member);
          scratch.done[r] = scratch.requested[r].empty() ? 1 : 0;
        });
      }
      for_my_rows([&](std::size_t r) {
        answers[first + r] = catch_all([&]() -> Result<Answer> {
          if (scratch.failed[r] != 0) return out_of_memory();
          return answer_from(chunk[r], r, scratch, member);
        });
        member.row.clear();
      });
      worker.wait();  // the next rows overwrite these
    }
  });
}

/// All workers call it together after all have requested parts; scratch.list then has the computed parts.
void AdaptiveHead::compute_requested(const Worker& worker, AdaptiveHeadScratch& scratch) const {
  worker.wait();
  if (worker.index == 0) {
    scratch.list.clear();
    for (std::uint32_t r = 0; r < scratch.rows; ++r) {
      for (const std::uint32_t part : scratch.requested[r]) scratch.list.push_back({part, r});
      scratch.requested[r].clear();
    }
    std::sort(scratch.list.begin(), scratch.list.end(), [](const PartOfRow& a, const PartOfRow& b) {
      return a.part != b.part ? a.part < b.part : a.row < b.row;
    });
  }
  worker.wait();
  parts_.compute(worker, scratch.list, scratch.hidden_rows(), scratch.parts);
}

/// If memory runs out, the row requests no further part and fails alone.
void AdaptiveHead::request_or_fail(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                                   Member& member) const {
  try {
    request_parts(question, r, scratch, member);
  } catch (const std::bad_alloc&) {
    scratch.requested[r].clear();
    scratch.failed[r] = 1;
  }
}

void AdaptiveHead::request_parts(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                                 Member& member) const {
  std::vector<std::uint32_t>& requested = scratch.requested[r];
  const auto add = [&](std::size_t part) {
    if (is_known(r, part, scratch) || std::find(requested.begin(), requested.end(), part) != requested.end())
      return;
    requested.push_back(static_cast<std::uint32_t>(part));
  };
  if (asks_for_more(question)) {
    for (std::uint32_t part = 1; part < parts_.parts(); ++part) {
      if (!is_known(r, part, scratch)) requested.push_back(part);
    }
    if (!requested.empty()) return;
  }
  for (const std::int32_t id : question.score) {
    if (id >= 0 && static_cast<std::size_t>(id) < weights_.vocab_size)
      add(parts_.part_of(parts_.rank_of(id)));
  }
  if (!requested.empty() || question.chain == nullptr) return;
  const LogitsNeeded needed = logits_needed(question);
  if (is_drawn(needed)) {
    request_for_draw(question, r, scratch, member);
  } else {
    request_likeliest(needed, r, scratch);
  }
}

/// Requests the likeliest unknown clusters, as many as are known, unless the known words rule them out.
void AdaptiveHead::request_likeliest(const LogitsNeeded& needed, std::size_t r,
                                     AdaptiveHeadScratch& scratch) const {
  const float* const root = scratch.parts.values(r, 0);
  std::vector<std::uint32_t>& requested = scratch.requested[r];
  std::size_t known = 0;
  for (std::uint32_t part = 1; part < parts_.parts(); ++part) {
    if (is_known(r, part, scratch)) {
      ++known;
    } else {
      requested.push_back(part);
    }
  }
  const std::size_t count = std::min(requested.size(), std::max<std::size_t>(known, 1));
  std::partial_sort(requested.begin(), requested.begin() + static_cast<std::ptrdiff_t>(count),
                    requested.end(), [&](std::uint32_t a, std::uint32_t b) {
                      return parts_.cluster_value(root, a) > parts_.cluster_value(root, b);
                    });
  requested.resize(count);
  if (!requested.empty() && rules_out(needed, parts_.cluster_value(root, requested.front()), r, scratch))
    requested.clear();
}

/// Whether the known words rule out all words with at most `bound`.
bool AdaptiveHead::rules_out(const LogitsNeeded& needed, float bound, std::size_t r,
                             AdaptiveHeadScratch& scratch) const {
  if (bound == kMasked) return true;
  float most = kMasked;
  std::size_t above = 0;
  for (std::size_t part = 0; part < parts_.parts(); ++part) {
    if (!is_known(r, part, scratch) || parts_.words(part) == 0) continue;
    const std::span<const float> known = values(r, part, scratch);
    most = std::max(most, kernels_.max(known.data(), known.size()));
    if (needed.kind == LogitsNeeded::kLargest && needed.count > 1) {
      above += static_cast<std::size_t>(
          std::count_if(known.begin(), known.end(), [&](float v) { return v > bound; }));
    }
  }
  if (needed.kind == LogitsNeeded::kNear) {
    return static_cast<double>(bound) < static_cast<double>(most) - needed.distance * (1 + 1e-9) - 1e-9;
  }
  return needed.count > 1 ? above >= needed.count : most > bound;
}

void AdaptiveHead::request_for_draw(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                                    Member& member) const {
  const LogitsNeeded needed = logits_needed(question);
  const AdaptiveDraw draw(parts_, kernels_, needed.temperature,
                          needed.kind == LogitsNeeded::kNucleus ? needed.mass : 1);
  scratch.drawn[r] = draw.step(r, question.key, scratch.parts, member.draw);
  if (scratch.drawn[r] && scratch.drawn[r]->needed_part) {
    scratch.requested[r].push_back(static_cast<std::uint32_t>(*scratch.drawn[r]->needed_part));
  }
}

void AdaptiveHead::show(float least, std::size_t r, AdaptiveHeadScratch& scratch, MaskedRow& row) const {
  for (std::size_t part = 0; part < parts_.parts(); ++part) {
    if (!is_known(r, part, scratch)) continue;
    const std::span<const float> words = values(r, part, scratch);
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] < least) continue;  // NaN is shown
      row.show(parts_.id_at(parts_.first_rank(part) + i), words[i]);
    }
  }
}

/// A lower bound of the words that a chain with these needs can choose.
float AdaptiveHead::least_of(const LogitsNeeded& needed, std::size_t r, AdaptiveHeadScratch& scratch,
                             Member& member) const {
  std::vector<float>& maxima = member.maxima;
  maxima.clear();
  for (std::size_t part = 0; part < parts_.parts(); ++part) {
    if (!is_known(r, part, scratch)) continue;
    const std::span<const float> words = values(r, part, scratch);
    for (std::size_t first = 0; first < words.size(); first += kLogitTile) {
      const float most = kernels_.max(words.data() + first, std::min(kLogitTile, words.size() - first));
      if (std::isnan(most)) return kMasked;
      maxima.push_back(most);
    }
  }
  if (maxima.empty()) return kMasked;
  if (needed.kind == LogitsNeeded::kNear) {
    const double most = static_cast<double>(*std::max_element(maxima.begin(), maxima.end()));
    return static_cast<float>(most - needed.distance * (1 + 1e-6) - 1e-4);
  }
  // At least `count` words reach the count-th largest maximum.
  if (needed.count > maxima.size()) return kMasked;
  const auto kth = maxima.begin() + static_cast<std::ptrdiff_t>(needed.count - 1);
  std::nth_element(maxima.begin(), kth, maxima.end(), std::greater<>());
  return *kth;
}

float AdaptiveHead::value_of(std::int32_t id, std::size_t r, AdaptiveHeadScratch& scratch) const {
  const std::size_t rank = parts_.rank_of(id), part = parts_.part_of(rank);
  return scratch.parts.values(r, part)[rank - parts_.first_rank(part)];
}

Result<Choice> AdaptiveHead::choose(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                                    Member& member) const {
  const LogitsNeeded needed = logits_needed(question);
  if (is_drawn(needed)) {
    if (scratch.drawn[r]) return Choice{scratch.drawn[r]->id, 0};
    show(kMasked, r, scratch, member.row);  // to find the bad id
    const std::span<const float> row = member.row.row().logits;
    const bool told = std::any_of(row.begin(), row.end(), [](float v) { return !is_logit(v); });
    const Error error = told ? bad_logits(row) : scratch.drawn[r].error();
    member.row.clear();
    return error;
  }
  show(least_of(needed, r, scratch, member), r, scratch, member.row);
  Question choice = choice_of(question);
  choice.chosen_logprob = question.chosen_logprob || question.explain > 0;  // for the probability
  const Result<Answer> answer =
      answer_row(choice, member.row.row(), member.row.row(), kernels_, member.candidates);
  member.row.clear();
  if (!answer) return answer.error();
  return answer->choice;
}

Result<Answer> AdaptiveHead::answer_from(const Question& question, std::size_t r,
                                         AdaptiveHeadScratch& scratch, Member& member) const {
  Answer answer;
  for (std::size_t part = 0; part < parts_.parts(); ++part) {
    if (is_known(r, part, scratch)) answer.head_bytes += parts_.bytes(part);
  }
  if (question.chain != nullptr) {
    const Result<Choice> chosen = choose(question, r, scratch, member);
    if (!chosen) return chosen.error();
    answer.choice = *chosen;
  }
  TRY(score(question, r, scratch, answer));
  if (!asks_for_more(question)) return answer;
  show(kMasked, r, scratch, member.row);
  const Result<void> done = complete(question, r, scratch, member, answer);
  member.row.clear();
  if (!done) return done.error();
  return answer;
}

Result<void> AdaptiveHead::score(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                                 Answer& answer) const {
  for (const std::int32_t id : question.score) {
    TRY(check_scored(id, weights_.vocab_size));
    const float value = value_of(id, r, scratch);
    if (std::isnan(value)) return bad_logits(std::span(&value, 1));
    answer.score.push_back(value);
  }
  return {};
}

Result<void> AdaptiveHead::complete(const Question& question, std::size_t r, AdaptiveHeadScratch& scratch,
                                    Member& member, Answer& answer) const {
  const LogitRow all = member.row.row();
  Question rest = question;
  rest.score = {};
  rest.chosen_logprob = false;
  if (question.explain <= 0) rest.chain = nullptr;
  Result<Answer> found = answer_row(rest, all, all, kernels_, member.candidates);
  if (!found) return found.error();
  answer.confidence = found->confidence;
  answer.explanation = std::move(found->explanation);
  answer.rank = std::move(found->rank);
  answer.top = std::move(found->top);
  for (auto& [id, logprob] : answer.top) logprob = value_of(id, r, scratch);
  if (question.chain == nullptr) return {};

  if (question.chosen_logprob) answer.logprob = value_of(answer.choice.id, r, scratch);
  if (!is_drawn(logits_needed(question)) || !(question.explain > 0 || question.chosen_logprob)) return {};
  member.probabilities.resize(weights_.vocab_size);
  const StageContext context{question.history, question.prompt_size, question.key, &kernels_};
  auto done =
      question.chain->distribution(all, context, question.state, member.candidates, member.probabilities);
  if (!done) return done;
  answer.choice.probability = member.probabilities[static_cast<std::size_t>(answer.choice.id)];
  return {};
}

}  // namespace

std::unique_ptr<OutputHead> make_adaptive_head(const OutputWeights& weights, const Kernels& kernels) {
  return std::make_unique<AdaptiveHead>(weights, kernels);
}

}  // namespace partita::internal
