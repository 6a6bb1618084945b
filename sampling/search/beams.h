// Beam search without a model: which continuations live on, which answers are complete, when nothing better
// can come. The rules are those of transformers 5.23 (generation/utils.py, _beam_search), its groups those of
// Vijayakumar et al., "Diverse Beam Search", 2016. docs/search.md has them in formulas.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace partita {

/// When a group that has as many complete answers as beams is done (transformers' early_stopping).
enum class StopRule : std::uint8_t {
  kHeuristic,  // false: when its best beam, at the length it has, is no better than the worst of them
  kFull,       // true: at once
  kNever,      // "never": when its best beam could not become better at any length up to the limit
};

struct BeamOptions {
  std::size_t beams = 1;   // of all groups together, at least 1
  std::size_t groups = 1;  // divides beams
  double diversity_penalty =
      0;                      // >= 0, for each beam of the groups before that took the same id in this step
  double length_penalty = 1;  // answers are compared by score / length^length_penalty
  StopRule stop = StopRule::kHeuristic;
  std::size_t max_length = 1;  // of an answer in tokens, at least 1
  std::size_t endings = 1;     // how many ids of the vocabulary end an answer
};

/// An id that could follow a beam. Of what processors leave, `score`; of the model's own distribution,
/// `logprob`: the same where there are none.
struct Continuation {
  std::int32_t id = -1;
  float score = 0;
  float logprob = 0;
};

/// An answer, complete or on its way.
struct Beam {
  std::vector<std::int32_t> ids;
  std::vector<float> logprobs;  // of ids[i], of the model's own distribution
  double score = 0;             // sum of Continuation::score, less the diversity penalties
};

struct CompleteBeam {
  Beam beam;
  double rank = 0;  // beam.score / length^length_penalty
};

/// One search. Candidates are ordered by score, ties by (beam, id), so that a search is a function of what it
/// is told.
class BeamSearch {
 public:
  explicit BeamSearch(const BeamOptions& options);

  /// How many of the likeliest continuations of each running beam a step must be told, if there are so many.
  std::size_t wanted() const { return wanted_; }

  /// The beams that want continuations, group by group, the best of a group first. At first an empty one for
  /// each group. Valid until the next advance().
  std::span<const Beam> running() const { return std::span<const Beam>(running_).first(running_count_); }

  /// Whether an id completes the answer that running()[beam] then is.
  using Completes = std::function<bool(std::size_t beam, std::int32_t id)>;

  /// One step: likeliest[i] continues running()[i]; its order does not matter.
  void advance(std::span<const std::vector<Continuation>> likeliest, const Completes& completes);

  /// Which of the beams before the last advance() each running beam continues.
  std::span<const std::size_t> parents() const { return parents_; }

  bool done() const { return running_count_ == 0; }

  /// The n best complete answers of all groups, best first; fewer if there are not so many.
  std::vector<CompleteBeam> best(std::size_t n) const;

 private:
  struct Candidate {
    std::size_t beam = 0;  // index into previous_
    Continuation next;
    double score = 0;
    bool ends = false;  // by its id, not by the length
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
  std::vector<Beam> running_, previous_;  // [beams]; the first running_count_ of running_ mean something
  std::size_t running_count_ = 0;
  std::vector<std::size_t> parents_;
  std::vector<Candidate> candidates_;  // of the group at hand
  std::vector<std::int32_t> taken_;    // ids that the groups before took in this step
};

}  // namespace partita
