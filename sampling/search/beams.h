// Beam search over continuations, independent of a model: which beams continue, which answers are complete,
// and when the search is done. The rules are those of transformers 5.23 (generation/utils.py, _beam_search),
// its groups those of Vijayakumar et al., "Diverse Beam Search", 2016. docs/search.md has them in formulas.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace partita::internal {

/// When a group with as many complete answers as beams is done (transformers' early_stopping).
enum class StopRule : std::uint8_t {
  kHeuristic,  // false: when its best beam, at its current length, is no better than the worst complete
               // answer
  kFull,       // true: immediately
  kNever,      // "never": when its best beam cannot become better than that at any length up to the limit
};

struct BeamOptions {
  std::size_t beams = 1;         // in all groups together, at least 1
  std::size_t groups = 1;        // divides beams
  double diversity_penalty = 0;  // >= 0, for each beam of earlier groups that chose the same id in this step
  double length_penalty = 1;     // answers are compared by score / length^length_penalty
  StopRule stop = StopRule::kHeuristic;
  std::size_t max_length = 1;  // of an answer in tokens, at least 1
  std::size_t endings = 1;     // number of ids of the vocabulary that end an answer
};

/// An id that may follow a beam. `score` is its log-probability after the logits processors, `logprob` in the
/// model's own distribution; both are equal without processors.
struct Continuation {
  std::int32_t id = -1;
  float score = 0;
  float logprob = 0;
};

/// An answer, complete or in progress.
struct Beam {
  std::vector<std::int32_t> ids;
  std::vector<float> logprobs;  // of ids[i], in the model's own distribution
  double score = 0;             // sum of Continuation::score, less the diversity penalties
};

struct CompleteBeam {
  Beam beam;
  double rank = 0;  // beam.score / length^length_penalty
};

/// One search. Candidates are ordered by score, ties by (beam, id), so the result depends on the inputs
/// alone.
class BeamSearch {
 public:
  explicit BeamSearch(const BeamOptions& options);

  /// The number of likeliest continuations of each running beam that advance() needs (fewer if fewer exist).
  std::size_t wanted() const { return wanted_; }

  /// The beams that need continuations, group by group, the best of a group first. Initially one empty beam
  /// per group. Valid until the next advance().
  std::span<const Beam> running() const { return std::span<const Beam>(running_).first(running_count_); }

  /// Whether an id completes the answer of running()[beam].
  using Completes = std::function<bool(std::size_t beam, std::int32_t id)>;

  /// One step: likeliest[i] continues running()[i]; its order does not matter.
  void advance(std::span<const std::vector<Continuation>> likeliest, const Completes& completes);

  /// For each running beam, the index of the beam before the last advance() that it continues.
  std::span<const std::size_t> parents() const { return parents_; }

  bool done() const { return running_count_ == 0; }

  /// The n best complete answers of all groups, best first; fewer if fewer are complete.
  std::vector<CompleteBeam> best(std::size_t n) const;

 private:
  struct Candidate {
    std::size_t beam = 0;  // index into previous_
    Continuation next;
    double score = 0;
    bool ends = false;  // its id completes the answer (the length limit does not count)
  };
  struct Group {
    std::size_t first = 0, count = 0;    // its beams in running_
    std::vector<CompleteBeam> complete;  // at most group_size_, best first
  };

  bool at_limit() const { return length_ >= options_.max_length; }
  void gather(const Group& group, std::span<const std::vector<Continuation>> likeliest);
  void collect_complete(Group& group);
  void collect_running(Group& group);
  bool is_done(const Group& group) const;
  double rank(double score, std::size_t length) const;

  BeamOptions options_;
  std::size_t group_size_, kept_, wanted_;
  std::size_t length_ = 0;  // of the running beams
  std::vector<Group> groups_;
  std::vector<Beam> running_, previous_;  // [beams]; only the first running_count_ of running_ are valid
  std::size_t running_count_ = 0;
  std::vector<std::size_t> parents_;
  std::vector<Candidate> candidates_;     // of the current group
  std::vector<std::int32_t> chosen_ids_;  // by earlier groups in this step
};

}  // namespace partita::internal
